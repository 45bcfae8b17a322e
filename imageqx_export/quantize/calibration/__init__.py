"""Calibration: activation ranges from images, and scales from ranges."""

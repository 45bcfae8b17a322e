"""Thresholds and temperatures: chosen on validation photos."""

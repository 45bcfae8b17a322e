"""Predict: photos in, verdicts and overlays out."""

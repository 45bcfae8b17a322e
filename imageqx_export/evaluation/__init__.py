"""Measure a checkpoint or an artifact on labelled photos: tables, curves, calibration, skin types and a report."""

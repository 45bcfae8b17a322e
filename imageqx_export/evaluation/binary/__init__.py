"""Measure a model that says good or poor: tables, figures and a report."""

"""Measure a yes or no, good or not: ranking, rates at a threshold, other prevalences, true probabilities."""

"""The statistics of a yes or no: ranking, rates at a threshold, other prevalences, true probabilities."""

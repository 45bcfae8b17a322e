"""Print results: one file per group of stages, one console for all."""

"""Training: one loop, its losses and its metrics."""

"""Budgets: the limits of sizes and of what quantization may cost, and their check."""

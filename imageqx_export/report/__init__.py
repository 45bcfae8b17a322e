"""Decide whether anything got worse, and show it."""

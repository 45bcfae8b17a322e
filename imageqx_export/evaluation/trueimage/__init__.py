"""TrueImage's classical features and a logistic regression: the comparator that both papers name."""

NAME = "TrueImage"
"""What its rows are called in tables."""

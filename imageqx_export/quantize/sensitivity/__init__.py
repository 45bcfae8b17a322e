"""Sensitivity: what each layer costs in int8, and the smallest set that stays float."""

"""Rewrites of the float network before it is quantized; each but one keeps the function that it computes."""

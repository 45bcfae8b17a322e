"""Rewrites of the float network before it is quantized; each keeps the function it computes."""

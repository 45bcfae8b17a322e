"""Quantization-aware training: a student that rounds as the recipe says, its loop, its stage."""

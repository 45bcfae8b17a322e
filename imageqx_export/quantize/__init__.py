"""Quantize once, in PyTorch: observe, choose ranges, annotate, and give one value that every exporter translates."""

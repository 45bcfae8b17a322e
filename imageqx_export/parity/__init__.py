"""Parity: every artifact against PyTorch, output by output."""

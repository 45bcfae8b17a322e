"""Qualcomm's NPU: its compiler and its x86 simulator, as ONNX Runtime and LiteRT call them."""

"""ONNX: the exporter, its graph passes, and how a graph of integers begins."""

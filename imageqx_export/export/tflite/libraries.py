"""What TFLite needs, apart from the exporter, which loads PyTorch: a kept export does without."""

LIBRARIES = {"litert_torch": "litert-torch", "ai_edge_quantizer": "ai-edge-quantizer"}
"""Import name → distribution."""

"""What Core ML needs, apart from the exporter, which loads PyTorch: a kept export does without."""

LIBRARIES = {"coremltools": "coremltools"}
"""Import name → distribution."""

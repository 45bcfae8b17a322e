"""What ONNX needs, apart from the exporter, which loads PyTorch: a kept export does without."""

LIBRARIES = {"onnx": "onnx", "onnxscript": "onnxscript", "onnxsim": "onnxsim"}
"""Import name → distribution."""

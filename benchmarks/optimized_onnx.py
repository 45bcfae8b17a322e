"""Let ONNX Runtime write down the graph that it would run: ``python optimized_onnx.py MODEL.onnx OPTIMIZED.onnx``.

Stands alone, so that an emulated phone can start it: what is fused depends on the processor.
"""

from __future__ import annotations

import sys


def main(model: str, optimized: str) -> None:
    """Optimize as a session does by default, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # that the graph fits this processor alone is the point
    options.optimized_model_filepath = optimized
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main(*sys.argv[1:])

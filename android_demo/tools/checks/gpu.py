"""The app's choice between GPU and processor, with TensorFlow Lite's own GPU delegate: its x86-64 library, on OpenCL.

The OpenCL is pocl's, which computes on the processor: it shows what the delegate makes of each file, and whether the
golden self-test finds it; not what a phone's driver does, nor float16.
"""

from __future__ import annotations

import os
from pathlib import Path

from android_demo.tools.checks.gpu_twins import make_right, make_wrong
from android_demo.tools.junit import Counts, run_junit
from android_demo.tools.model import find_artifact
from android_demo.tools.modules import build_runtime_tests
from android_demo.tools.tflite.native import build_gpu_native
from imageqx_export.artifact import Precision

PRECISIONS = tuple(map(Precision, os.environ.get("IMAGEQX_GPU_PRECISIONS", "fp32").split()))
"""Of the export's files that must be right there: on a processor that plays a GPU, a file takes a minute or more."""


def check_gpu(folder: Path) -> None:
    """Let the delegate run an export's files, and see that one is used if it is right there, and only then.

    The delegate takes a mean over channels-first features for its own and computes it wrong without a word. So a copy
    of the float32 file that has one must be refused by the self-test.

    Raises:
        TestsFailedError: A file is used and wrong, or right and not used.
    """
    _run(make_right(folder), PRECISIONS, wrong=False)
    _run(make_wrong(folder), (Precision.FP32,), wrong=True)


def _run(folder: Path, precisions: tuple[Precision, ...], *, wrong: bool) -> Counts:
    tests, classpath = build_runtime_tests()
    native = build_gpu_native().resolve()
    paths = ",".join(str(find_artifact(folder, precision).path) for precision in precisions)
    return run_junit(
        "gpu",
        tests,
        classpath,
        properties={
            "imageqx.artifacts": folder.resolve(),
            "imageqx.gpu.files": paths,
            "imageqx.gpu.wrong": paths if wrong else "",
            "java.library.path": native,
        },
        environment={"LD_LIBRARY_PATH": str(native)},
        only=r".*\.GpuDelegateTest$",
    )

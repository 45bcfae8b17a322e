"""The app's choice between GPU and processor, with TensorFlow Lite's own GPU delegate: its x86-64 library, on OpenCL.

The OpenCL is pocl's, which computes on the processor: it shows what the delegate makes of each file, and whether the
golden self-test finds it; not what a phone's driver does, nor float16.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

from android_demo.tools.junit import Counts, run_junit
from android_demo.tools.model import find_artifact
from android_demo.tools.modules import build_runtime_tests
from android_demo.tools.steps import run_step
from android_demo.tools.tflite.native import build_gpu_native
from imageqx_export.artifact import Precision
from imageqx_export.bundle.manifest import MANIFEST_FILE
from imageqx_export.errors import ConversionError
from imageqx_export.export.tflite import flatbuffer
from imageqx_export.export.tflite.accelerators import pool_before_transposing
from imageqx_export.support.files import digest

GOLDEN = "golden"


def check_gpu(folder: Path) -> None:
    """Let the delegate run an export's float32 file, and see that it is used if it is right there, and only then.

    The delegate takes a mean over channels-first features for its own and computes it wrong without a word. So a file
    that has one must be refused by the self-test, and the same file with its mean before the TRANSPOSE must pass.

    Raises:
        TestsFailedError: A file is used and wrong, or right and not used.
    """
    if _pool(folder) is not None:
        _run(folder, wrong=True)
        _run(mend(folder), wrong=False)
    else:
        _run(folder, wrong=False)


def _run(folder: Path, *, wrong: bool) -> Counts:
    tests, classpath = build_runtime_tests()
    native, path = build_gpu_native().resolve(), find_artifact(folder, Precision.FP32).path
    return run_junit(
        "gpu",
        tests,
        classpath,
        properties={
            "imageqx.artifacts": folder.resolve(),
            "imageqx.gpu.files": path,
            "imageqx.gpu.wrong": path if wrong else "",
            "java.library.path": native,
        },
        environment={"LD_LIBRARY_PATH": str(native)},
        only=r".*\.GpuDelegateTest$",
    )


def mend(folder: Path) -> Path:
    """Copy what an app takes of an export, its float32 file with the mean before the TRANSPOSE; return the copy."""
    artifact = find_artifact(folder, Precision.FP32)

    def make(output: Path) -> None:
        output.mkdir()
        shutil.copytree(folder / GOLDEN, output / GOLDEN)
        content = _pool(folder)
        if content is None:
            raise ConversionError("the mean lies before the TRANSPOSE already", where=artifact.path)
        path = output / artifact.path
        path.write_bytes(content)
        _copy_spec(folder / artifact.path, path)
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        (entry,) = (one for one in manifest["artifacts"] if one["path"] == str(artifact.path))
        entry |= {"sha256": digest(path), "size_bytes": path.stat().st_size}
        (output / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")

    reads = [Path(__file__), folder / MANIFEST_FILE, folder / GOLDEN, folder / artifact.path]
    return run_step("gpu/mended", reads, make)


def _pool(folder: Path) -> bytes | None:
    """Return the float32 file's flatbuffer with its mean before the TRANSPOSE; None where it is so already."""
    model = flatbuffer.read((folder / find_artifact(folder, Precision.FP32).path).read_bytes())
    return flatbuffer.write(model) if pool_before_transposing(model) else None


def _copy_spec(original: Path, path: Path) -> None:
    """Write the zip with the spec that a file has behind its flatbuffer behind another."""
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), source.read(name))

"""Put an export's files where the page finds them, and write what the saturation probe expects of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from imageqx_export.artifact import Format, Pixels, Precision
from imageqx_export.bundle.manifest import GOLDEN_FOLDER, read_manifest
from imageqx_export.errors import ArtifactError
from imageqx_export.runtimes import load_runtime

FORMATS = (Format.TFLITE, Format.ONNX)
PIECES = (1, 4, 16, 64)
"""Sides of the probe's black and white pieces, in pixels; ``src/core/selftest/probe.ts`` draws the same."""

PROBE_MAX_ABS = 1e-3
"""The most that a browser may be from the native runtime on the probe. Kernels that add exactly are equal but for
float's last steps; sums that saturate are not."""


def draw_probes(height: int, width: int) -> Pixels:
    """Return the probe's pictures, uint8 [4,H,W,3]: black and white, in pieces, each channel of its own phase."""
    y, x, channel = np.indices((height, width, 3))
    return np.stack([((x // n + y // n + channel) % 2 == 0) * 255 for n in PIECES]).astype(np.uint8)


def write_model(artifacts: Path, out: Path) -> None:
    """Copy the w8a8 files, their manifest and golden files into the page's folder ``model/``, with ``probe.json``.

    Args:
        artifacts: An export's folder.
        out: Replaced.

    Raises:
        ArtifactError: A w8a8 file is missing.
    """
    manifest = read_manifest(artifacts)
    files = [a for a in manifest.artifacts if a.precision is Precision.W8A8 and a.format in FORMATS]
    if len(files) != len(FORMATS):
        found = ", ".join(str(each.path) for each in files) or "none"
        raise ArtifactError("the page needs both files", where=artifacts, expected="w8a8, tflite and onnx", got=found)
    shutil.rmtree(out, ignore_errors=True)
    (out / GOLDEN_FOLDER).mkdir(parents=True)
    for name in ("manifest.json", *(str(each.path) for each in files)):
        shutil.copyfile(artifacts / name, out / name)
    for name in manifest.golden:
        if name.endswith(".png") or name in ("self_test.json", "expected_w8a8.json"):
            shutil.copyfile(artifacts / GOLDEN_FOLDER / name, out / GOLDEN_FOLDER / name)
    probe = {str(each.path): _expect(artifacts / each.path) for each in files}
    content = {"schema_version": 1, "max_abs": PROBE_MAX_ABS, "outputs": probe}
    (out / "probe.json").write_text(json.dumps(content), encoding="utf-8")


def _expect(path: Path) -> dict[str, dict[str, object]]:
    """Return what the native runtime makes of the probe's pictures: per picture its outputs."""
    runtime = load_runtime(path)
    size = runtime.spec.preprocessing
    outputs = runtime.run(draw_probes(size.height, size.width))
    return {
        str(i): {name: np.round(values[i].astype(np.float64), 9).tolist() for name, values in outputs.items()}
        for i in range(len(PIECES))
    }

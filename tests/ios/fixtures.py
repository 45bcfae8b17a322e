"""What the Swift kit is tested against: made by Python's own stages and by Pillow, afresh at every test run.

``python -m tests.ios.fixtures FOLDER`` writes it: JSON, and raw samples beside it. Nothing
here shares code with the kit.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.decisions import apply_thresholds
from imageqx_export.evaluation.heatmap import blend
from imageqx_export.networks.imageqx.spec import spec as imageqx_spec
from imageqx_export.parity.compare import Tolerance, compare_outputs
from imageqx_export.predict.verdict import make_verdict
from imageqx_export.support.files import digest

Json = dict[str, Any]

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def draw(width: int, height: int, seed: int) -> Image.Image:
    """Draw a picture with edges, slopes and noise."""
    make = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = [127 + 90 * np.sin(x * make.uniform(0.01, 1) + y * make.uniform(0.01, 1) + phase) for phase in range(3)]
    noisy = np.stack(waves, 2) + make.normal(0, 40, (height, width, 3))
    noisy[height // 3 : height // 2, width // 4 : width // 2] = make.integers(0, 256, 3)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def stretch_upright(stored: Image.Image, orientation: int, covered: tuple[float, float], to: tuple[int, int]) -> bytes:
    """Turn the whole picture with Pillow, then resize it along its rows, then along its columns."""
    spare = [0.0, 0.0, stored.width - covered[0], stored.height - covered[1]]  # left, upper, right, lower
    # What is spared follows the turn: found by turning a picture of which the spared edges are marked.
    upright = stored.transpose(TURNS[orientation]) if orientation > 1 else stored
    right = Image.new("L", (3, 3))
    right.putpixel((2, 1), 1)
    right.putpixel((1, 2), 2)
    marks = right.transpose(TURNS[orientation]) if orientation > 1 else right
    edges = [marks.getpixel(place) for place in ((0, 1), (1, 0), (2, 1), (1, 2))]
    left, top, far, low = ({0: 0.0, 1: spare[2], 2: spare[3]}[int(str(edge))] for edge in edges)
    box = (left, 0.0, upright.width - far, float(upright.height))
    wide = upright.resize((to[0], upright.height), Image.Resampling.BILINEAR, box=box)
    box = (0.0, top, float(to[0]), wide.height - low)
    return wide.resize(to, Image.Resampling.BILINEAR, box=box).tobytes()


def list_resizes() -> Iterator[tuple[int, int, int, tuple[float, float], tuple[int, int]]]:
    """Give sizes, orientations and covered parts: those of phones made small, odd ones, and the smallest."""
    square = (224, 224)
    for width, height in (
        (336, 500),
        (500, 336),
        (720, 1280),
        (567, 1008),
        (1, 1),
        (1, 700),
        (700, 1),
        (100, 60),
        (224, 900),
    ):
        yield width, height, 1, (width, height), square
    for orientation in range(1, 9):
        yield 403, 301, orientation, (403, 301), square
        yield 502, 377, orientation, (501.5, 376.25), square
        yield 224, 301, orientation, (224, 300.5), (224, 192)
        yield 300, 200, orientation, (299.125, 200), (160, 96)
    make = random.Random(0)
    for _ in range(40):
        width, height = make.randint(1, 900), make.randint(1, 900)
        covered = (max(width - make.choice((0, 0.5, 0.125)), 0.5), max(height - make.choice((0, 0.25, 0.875)), 0.5))
        yield width, height, make.randint(1, 8), covered, square


def write_resizes(folder: Path) -> list[Json]:
    cases = []
    for number, (width, height, orientation, covered, to) in enumerate(list_resizes()):
        stored = draw(width, height, number)
        (folder / f"resize{number}.in").write_bytes(stored.tobytes())
        (folder / f"resize{number}.out").write_bytes(stretch_upright(stored, orientation, covered, to))
        size = {"width": width, "height": height, "to": list(to), "covered": list(covered)}
        cases.append({"name": f"resize{number}", "orientation": orientation, **size})
    return cases


def write_overlays(folder: Path) -> list[Json]:
    cases = []
    make = np.random.default_rng(1)
    for number, (width, height, rows, columns) in enumerate(
        ((320, 240, 7, 7), (97, 131, 7, 7), (50, 40, 5, 3), (8, 9, 7, 7))
    ):
        photo, heat = draw(width, height, number), make.random((rows, columns), np.float32) ** 2
        big = Image.fromarray(heat).resize(photo.size, Image.Resampling.BICUBIC)
        name = f"overlay{number}"
        (folder / f"{name}.in").write_bytes(photo.tobytes())
        (folder / f"{name}.map").write_bytes(np.asarray(big).tobytes())
        (folder / f"{name}.out").write_bytes(blend(photo, heat).tobytes())
        size = {"width": width, "height": height, "rows": rows, "columns": columns}
        cases.append({"name": name, "values": heat.ravel().tolist(), **size})
    return cases


def make_outputs(spec: ModelSpec, seed: int, photos: int = 1) -> Outputs:
    """Draw outputs as a model could give them, some on a threshold exactly."""
    make = np.random.default_rng(seed)
    quality = make.dirichlet(np.ones(len(spec.labels)) * 0.6, photos).astype(np.float32)
    explanations = make.random((photos, len(spec.reasons)), np.float32)
    for column, name in enumerate(spec.reasons):
        if make.random() < 0.3:
            explanations[:, column] = np.float32(spec.thresholds[name])
    if spec.poor_quality_threshold is not None and make.random() < 0.3:
        quality[:, spec.labels.index("poor_quality")] = np.float32(spec.poor_quality_threshold)
    attention = make.random((photos, len(spec.reasons), 7, 7), np.float32)
    return {"quality": quality, "explanations": explanations, "attention": attention}


def list_specs(folder: Path) -> Iterator[ModelSpec]:
    """Give specs with thresholds of many kinds; the last ones have a clinic's own."""
    plain = imageqx_spec()
    yield plain
    thresholds = dict(zip(plain.reasons, (0.1, 0.35, 0.7, 0.999, 1.0), strict=True))
    yield plain.model_copy(update={"thresholds": thresholds, "poor_quality_threshold": 0.37})
    for number, own in enumerate(
        (
            {"schema_version": 1, "reasons": {"blurry": 0.21}},
            {"schema_version": 1, "poor_quality": 0.61, "reasons": {}, "chosen": {"by": ["us", 1]}},
            {"schema_version": 1, "poor_quality": None, "reasons": {"bad_light": 0.0}},
        )
    ):
        file = folder / f"clinic{number}.json"
        file.write_text(json.dumps(own))
        yield apply_thresholds(plain.model_copy(update={"poor_quality_threshold": 0.37}), file)


def write_verdicts(folder: Path) -> list[Json]:
    cases = []
    for number, spec in enumerate(list_specs(folder)):
        for seed in range(40):
            outputs = make_outputs(spec, 100 * number + seed)
            verdict = make_verdict(Path("photo"), outputs, 0, spec)
            expected = {**json.loads(verdict.model_dump_json()), "hints": list(verdict.hints)}
            values = {name: array.ravel().tolist() for name, array in outputs.items()}
            clinic = f"clinic{number - 2}.json" if number >= 2 else None
            base = imageqx_spec().model_copy(update={"poor_quality_threshold": 0.37}) if number >= 2 else spec
            cases.append({"spec": base.model_dump_json(), "clinic": clinic, "outputs": values, "expected": expected})
    return cases


def write_comparisons() -> list[Json]:
    """Compare outputs that were moved by more and more, as a phone's accelerator moves them."""
    cases = []
    spec = imageqx_spec().model_copy(update={"poor_quality_threshold": 0.37})
    for seed, (scale, limit, margin) in enumerate(
        ((0, 0.05, 0.05), (0.01, 0.05, 0.05), (0.04, 0.1, 0.05), (0.05, 0.2, 0.0), (0.3, 2, 0.01), (0.05, 0.01, 0.9))
    ):
        want = make_outputs(spec, 1000 + seed, photos=20)
        make = np.random.default_rng(seed)
        got = {name: (a + make.uniform(-scale, scale, a.shape)).astype(np.float32) for name, a in want.items()}
        tolerance = Tolerance(max_abs=limit, agreement=0.98, margin=margin)
        rows = compare_outputs(spec, want, got, tolerance)
        cases.append(
            {
                "spec": spec.model_dump_json(),
                "want": [{name: a[i].ravel().tolist() for name, a in want.items()} for i in range(20)],
                "got": [{name: a[i].ravel().tolist() for name, a in got.items()} for i in range(20)],
                "tolerance": json.loads(tolerance.model_dump_json()),
                "maxAbs": max(row.max_abs for row in rows),
                "decisions": sum(row.decisions for row in rows),
                "differing": sum(row.differing for row in rows),
                "passed": not any(row.problems for row in rows),
            }
        )
    return cases


def write_digests(folder: Path) -> list[Json]:
    package = folder / "package"
    for name, content in (
        ("Manifest.json", b"{}"),
        ("Data/a/model.mlmodel", b"x" * 1000),
        ("Data/a-b", b""),
        ("Data/Z", b"z"),
    ):
        place = package / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (package / "Data" / "empty").mkdir()
    cases = []
    for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_000):
        (folder / f"bytes{size}").write_bytes(bytes(i * i % 251 for i in range(size)))
        cases.append({"path": f"bytes{size}", "sha256": digest(folder / f"bytes{size}")})
    return [*cases, {"path": "package", "sha256": digest(package)}]


def write_fixtures(folder: Path) -> None:
    """Write everything that the kit's tests read.

    Args:
        folder: Made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    everything = {
        "resizes": write_resizes(folder),
        "overlays": write_overlays(folder),
        "verdicts": write_verdicts(folder),
        "comparisons": write_comparisons(),
        "digests": write_digests(folder),
    }
    (folder / "fixtures.json").write_text(json.dumps(everything))


if __name__ == "__main__":
    write_fixtures(Path(sys.argv[1]))

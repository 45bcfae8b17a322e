"""What the tests of ``core/`` compare with: values that Python, Pillow and NumPy compute.

Run as a program, ``python -m android_demo.tools.golden FOLDER``, it writes:

- ``pixels.json``, with per case the stored picture (``*.rgba``), its orientation and margins, and the expected bytes:
  the photos of ``golden/photos/`` as Pillow decodes them, and drawn ones;
- ``overlays.json``, with heat maps, photos and blended pictures;
- ``verdicts.json`` and ``binary.json``, with specs, outputs and what ``imageqx predict`` makes of them.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageqx_export.artifact import (
    BinaryDecision,
    ModelSpec,
    Preprocessing,
    Ranks,
    Region,
    Regions,
    TensorSpec,
)
from imageqx_export.bundle.photos import list_shipped
from imageqx_export.decisions import count_votes, decide_good, find_bad_regions
from imageqx_export.evaluation.heatmap import blend
from imageqx_export.networks.imageqx.spec import spec as imageqx_spec
from imageqx_export.predict.verdict import make_verdict
from imageqx_export.preprocess import find_reduction, load_pixels
from imageqx_export.support.colours import convert_to_srgb

SIDE = 224
_TURNS = {
    1: (None, (0, 1, 2, 3)),
    2: (Image.Transpose.FLIP_LEFT_RIGHT, (2, 1, 0, 3)),
    3: (Image.Transpose.ROTATE_180, (2, 3, 0, 1)),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, (0, 3, 2, 1)),
    5: (Image.Transpose.TRANSPOSE, (1, 0, 3, 2)),
    6: (Image.Transpose.ROTATE_270, (3, 0, 1, 2)),
    7: (Image.Transpose.TRANSVERSE, (3, 2, 1, 0)),
    8: (Image.Transpose.ROTATE_90, (1, 2, 3, 0)),
}
"""EXIF's orientation → Pillow's method, and which stored edge becomes the left, upper, right and lower one."""

_SIZES = (
    (336, 500),
    (500, 336),
    (720, 1280),
    (567, 1008),
    (1008, 567),
    (1, 1),
    (1, 300),
    (300, 1),
    (2, 3),
    (17, 5),
    (224, 224),
    (224, 500),
    (500, 224),
    (225, 223),
    (448, 448),
    (1003, 751),
)
"""Widths and heights: smaller than the model's input, larger, equal along one side, and all kinds of proportions."""


def write_golden(folder: Path) -> None:
    """Write all of it into a folder."""
    folder.mkdir(parents=True)
    pixels = [*_decode_photos(folder), *_make_pixels(folder)]
    for name, cases in (
        ("pixels", pixels),
        ("overlays", _make_overlays(folder)),
        ("verdicts", _decide()),
        ("binary", _decide_binary()),
    ):
        (folder / f"{name}.json").write_text(json.dumps(list(cases)), encoding="utf-8")


def _decode_photos(folder: Path) -> Iterator[dict[str, Any]]:
    """Decode the photos of an export's ``golden/photos/``, for a square model and an oblong one."""
    for size in (Preprocessing(), Preprocessing(width=64, height=40)):
        for name, data in list_shipped().items():
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
                reduction = find_reduction(data, size)
                image.draft(None, (width // reduction, height // reduction))
                opaque = image.mode != "RGBA"
                picture = (convert_to_srgb(image) if opaque else image).convert("RGBA")
                orientation = image.getexif().get(0x0112, 1)
            stem = f"{name}-{size.width}"
            (folder / f"{stem}.rgba").write_bytes(picture.tobytes())
            (folder / f"{stem}.rgb").write_bytes(load_pixels(data, size).tobytes())
            margins = (0.0, 0.0, picture.width - width / reduction, picture.height - height / reduction)
            yield _describe(name, picture, size, orientation, margins, f"{stem}.rgba", f"{stem}.rgb", opaque)


def _describe(
    name: str,
    picture: Image.Image,
    size: Preprocessing,
    orientation: int,
    margins: tuple[float, ...],
    stored: str,
    expected: str,
    opaque: bool,
) -> dict[str, Any]:
    return {
        "name": name,
        "picture": stored,
        "width": picture.width,
        "height": picture.height,
        "expected": expected,
        "outWidth": size.width,
        "outHeight": size.height,
        "orientation": orientation,
        "margins": margins,
        "opaque": opaque,
    }


def _make_pixels(folder: Path) -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(0)
    for number, (width, height) in enumerate(_SIZES):
        orientations = (1, 6) if width * height > 300_000 else tuple(_TURNS)
        picture = _draw(random, width, height)
        (folder / f"{number}.rgba").write_bytes(picture.tobytes())
        for orientation in orientations:
            # As of a JPEG decoded at 1/2, 1/4 or 1/8; not of a side of one pixel, which would vanish.
            margins = (0.0, 0.0, *(random.integers(0, 4) / 4 if side > 1 else 0.0 for side in (width, height)))
            name = f"{number}-{orientation}.rgb"
            (folder / name).write_bytes(stretch(picture, orientation, margins).tobytes())
            opaque = picture.getchannel("A").getextrema() == (255, 255)
            title = f"drawn, {width} × {height}, EXIF {orientation}"
            yield _describe(title, picture, Preprocessing(), orientation, margins, f"{number}.rgba", name, opaque)


def _draw(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Draw noise over a slope; every second picture has an alpha channel."""
    slope = np.add.outer(np.linspace(0, 128, height), np.linspace(0, 127, width))[..., None]
    noise = random.integers(-100, 101, (height, width, 3))
    colours = np.clip(slope + noise, 0, 255).astype(np.uint8)
    alpha = np.full((height, width, 1), 255, np.uint8)
    if width % 2:
        alpha = random.integers(0, 256, (height, width, 1)).astype(np.uint8)
    return Image.fromarray(np.concatenate([colours, alpha], axis=2), "RGBA")


def stretch(picture: Image.Image, orientation: int, margins: tuple[float, ...]) -> Image.Image:
    """Stretch an RGBA picture as the contract says, one pass of Pillow's at a time."""
    rgb = Image.composite(picture.convert("RGB"), Image.new("RGB", picture.size, "white"), picture.getchannel("A"))
    method, edges = _TURNS[orientation]
    upright = rgb if method is None else rgb.transpose(method)
    left, top, right, bottom = (margins[edge] for edge in edges)
    filter = Image.Resampling.BILINEAR
    box = (left, 0, upright.width - right, upright.height)
    wide = upright.resize((SIDE, upright.height), filter, box=box)
    return wide.resize((SIDE, SIDE), filter, box=(0, top, SIDE, upright.height - bottom))


def _make_overlays(folder: Path) -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(1)
    for number, (width, height) in enumerate(((64, 48), (100, 333), (7, 7), (5, 3))):
        maps = np.maximum(random.normal(0.2, 0.4, (5, 7, 7)), 0).astype(np.float32)
        photo = Image.fromarray(random.integers(0, 256, (height, width, 3)).astype(np.uint8))
        top = max(float(maps.max()), 1e-9)
        big = Image.fromarray(maps[number] / top).resize((width, height), Image.Resampling.BICUBIC)
        names = {kind: f"overlay-{number}.{kind}" for kind in ("photo", "heat", "blended")}
        for kind, data in (
            ("photo", photo.tobytes()),
            ("heat", np.asarray(big, "<f4").tobytes()),
            ("blended", blend(photo, maps[number] / top).tobytes()),
        ):
            (folder / names[kind]).write_bytes(data)
        yield {"width": width, "height": height, "reason": number, "attention": maps.ravel().tolist(), **names}


def _decide() -> Iterator[dict[str, Any]]:
    """Assess random outputs, some of them just at a threshold, with and without the threshold of poor quality."""
    random = np.random.default_rng(2)
    for number in range(64):
        spec = _vary(imageqx_spec(), random, with_poor=number % 3 > 0)
        outputs = _draw_outputs(spec, random, at_threshold=number % 2 == 0)
        verdict = make_verdict(Path("photo.jpg"), outputs, 0, spec)
        yield {
            "spec": spec.model_dump_json(),  # JSON inside a JSON string, as in the files' metadata
            "quality": outputs["quality"][0].tolist(),
            "explanations": outputs["explanations"][0].tolist(),
            "label": verdict.label,
            "retake": verdict.retake,
            "reasons": [reason.name for reason in verdict.reasons],
            "given": [reason.given for reason in verdict.reasons],
            "hints": list(verdict.hints),
        }


def _vary(spec: ModelSpec, random: np.random.Generator, *, with_poor: bool) -> ModelSpec:
    thresholds = {name: float(random.uniform(0, 1)) for name in spec.reasons}
    poor = float(random.uniform(0, 1)) if with_poor else None
    return spec.model_copy(update={"thresholds": thresholds, "poor_quality_threshold": poor})


def _draw_outputs(
    spec: ModelSpec, random: np.random.Generator, *, at_threshold: bool
) -> dict[str, NDArray[np.float32]]:
    quality = random.dirichlet(np.ones(len(spec.labels))).astype(np.float32)[None]
    explanations = random.uniform(0, 1, (1, len(spec.reasons))).astype(np.float32)
    if at_threshold:
        explanations[0, 0] = spec.thresholds[spec.reasons[0]]
        if spec.poor_quality_threshold is not None:
            quality[0, spec.labels.index("poor_quality")] = spec.poor_quality_threshold
    return {"quality": quality, "explanations": explanations}


def _decide_binary() -> Iterator[dict[str, Any]]:
    """Assess random outputs of a model that says good or poor, some of them just at a threshold."""
    random = np.random.default_rng(3)
    for number in range(32):
        spec = _make_binary_spec(threshold=float(random.uniform()), region_threshold=float(random.uniform()))
        assert spec.binary is not None and spec.binary.regions is not None
        good, ranks, regions = (random.uniform(0, 1, (1, n)).astype(np.float32) for n in (1, 4, 5))
        if number % 2:
            good[0, 0], regions[0, 2] = spec.binary.threshold, spec.binary.regions.threshold
        yield {
            "spec": spec.model_dump_json(),
            "good": good[0].tolist(),
            "ranks": ranks[0].tolist(),
            "regions": regions[0].tolist(),
            "retake": not decide_good(good, spec)[0],
            "votes": int(count_votes(ranks)[0]),
            "bad": find_bad_regions(regions, spec)[0].tolist(),
        }


def _make_binary_spec(*, threshold: float, region_threshold: float) -> ModelSpec:
    corners = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5), (0.25, 0.25))
    parts = tuple(
        Region(name=f"region{i}", left=x, top=y, width=0.5, height=0.5, hint=f"Look at region {i}")
        for i, (x, y) in enumerate(corners)
    )
    return ModelSpec(
        name="binary",
        inputs=(TensorSpec(name="image", shape=(1, 40, 64, 3), dtype="uint8"),),
        outputs=tuple(
            TensorSpec(name=name, shape=(1, size), dtype="float32")
            for name, size in (("good", 1), ("ranks", 4), ("regions", 5))
        ),
        preprocessing=Preprocessing(height=40, width=64),
        binary=BinaryDecision(
            output="good",
            threshold=threshold,
            hint="Take it again",
            ranks=Ranks(output="ranks", raters=4, good_when_at_least=2),
            regions=Regions(output="regions", threshold=region_threshold, parts=parts),
        ),
    )


if __name__ == "__main__":
    write_golden(Path(sys.argv[1]))

"""Draw attention over photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imageqx_export.artifact import ModelSpec
from imageqx_export.errors import PhotoError
from imageqx_export.evaluation.heatmap import blend
from imageqx_export.predict.addresses import show_place
from imageqx_export.predict.verdict import Verdict, list_reasons
from imageqx_export.preprocess import open_photo
from imageqx_export.support.files import write_aside

TILE = 320
MOST = 64
"""Most photos of one picture, which is up to 24,328 pixels high then."""
_CAPTION = 52
_GAP = 8


def refuse_many(photos: Sequence[Path | str], path: Path) -> None:
    """Refuse to draw more photos than one picture holds.

    Raises:
        PhotoError: There are more than ``MOST``.
    """
    if len(photos) > MOST:
        raise PhotoError(
            "too many photos for one picture of attention maps",
            where=path,
            expected=f"at most {MOST} photos",
            got=f"{len(photos):,}",
            remedy="leave --attention out, or name fewer photos",
        )


def refuse_addresses(photos: Sequence[Path | str]) -> None:
    """Refuse to draw over photos that are not on this machine: each would be fetched twice.

    Raises:
        PhotoError: One is an address.
    """
    for photo in photos:
        if isinstance(photo, str):
            raise PhotoError(
                "no picture is drawn of a photo at an address",
                where=show_place(photo),
                expected="files of this machine",
                remedy="leave --attention and --html out, or copy the photos here",
            )


def draw_attention(rows: Sequence[tuple[Verdict, NDArray[np.float32]]], spec: ModelSpec, path: Path) -> None:
    """Write one picture: a row per photo, the photo first, then a heat map per reason, the worst first.

    Where no reason is given, the likeliest one is drawn. Within a row the maps share one scale, so that a weak
    map looks weak.

    Args:
        rows: Verdicts with their maps float32 [K,h,w], as of :func:`~imageqx_export.predict.verdict.predict_photos`.
        spec: Names the maps: the reasons, or the regions.
        path: A PNG, or any other kind that Pillow writes; replaced in one step.
    """
    lines = [_draw_row(verdict, maps, spec) for verdict, maps in rows]
    width = max(sum(tile.width + _GAP for tile in line) for line in lines) + _GAP
    heights = [max(tile.height for tile in line) + _GAP for line in lines]
    sheet = Image.new("RGB", (width, sum(heights) + _GAP), "white")
    top = _GAP
    for line, height in zip(lines, heights, strict=True):
        left = _GAP
        for tile in line:
            sheet.paste(tile, (left, top))
            left += tile.width + _GAP
        top += height
    with write_aside(path) as aside:
        sheet.save(aside, format=Image.registered_extensions().get(path.suffix.lower(), "PNG"))


def _draw_row(verdict: Verdict, maps: NDArray[np.float32], spec: ModelSpec) -> list[Image.Image]:
    photo = open_photo(Path(verdict.photo))
    photo.thumbnail((TILE, TILE))
    tiles = [_caption(photo, Path(verdict.photo).name, verdict.title)]
    shown = [reason for reason in verdict.reasons if reason.given] or list(verdict.reasons[:1])
    top = max(float(maps.max(initial=0)), 1e-9)
    names = list_reasons(spec)
    for reason in shown:
        heat = maps[names.index(reason.name)] / top
        name = reason.name.replace("_", " ")
        words = caption_map(spec, given=reason.given)
        tiles.append(_caption(blend(photo, heat), f"{name} {reason.probability:.0%}", words))
    return tiles


def caption_map(spec: ModelSpec, *, given: bool) -> str:
    """Return what is written under a map's name: what is drawn there.

    Args:
        spec: Says whether a map is a reason's or a region's.
        given: Whether the region is bad, by its threshold; else it is drawn as the likeliest one alone.
    """
    if spec.binary is None:
        return "where the model looks"
    return "this part is bad" if given else "not bad; the likeliest to be"


def _caption(picture: Image.Image, title: str, subtitle: str) -> Image.Image:
    tile = Image.new("RGB", (max(picture.width, 220), picture.height + _CAPTION), "white")
    tile.paste(picture, (0, _CAPTION))
    draw = ImageDraw.Draw(tile)
    for text, y, size, ink in ((title, 2, 18, "black"), (subtitle, 27, 15, "#555555")):
        draw.text((0, y), _fit_text(text, size, tile.width), fill=ink, font=ImageFont.load_default(size))
    return tile


def _fit_text(text: str, size: int, width: int) -> str:
    font = ImageFont.load_default(size)
    if font.getlength(text) <= width:
        return text
    while len(text) > 1 and font.getlength("…" + text) > width:
        text = text[1:]  # a file name's end tells more than its beginning
    return "…" + text

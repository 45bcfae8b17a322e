"""Draw a row per kind of degradation: one photo mild and strong, the verdict beside each."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from imageqx_export.evaluation.robustness.render import describe_aim
from imageqx_export.evaluation.robustness.result import Example, KindResult, Robustness

_TILE, _TEXT, _NAME, _GAP, _HEAD = 132, 140, 190, 8, 34
_INK, _DIM, _MISS = "#1a1a1a", "#5a5a5a", "#a01818"


def draw_rows(found: Robustness) -> Image.Image:
    """Return the picture, in two columns of rows; a verdict that a good model would not give is red and says so."""
    rows = [one for one in found.kinds if one.examples]
    half = -(-len(rows) // 2)
    width = _NAME + 2 * (_TILE + _TEXT + 2 * _GAP)
    sheet = Image.new("RGB", (_GAP + 2 * width, _HEAD + half * (_TILE + _GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for part in (0, 1):
        left = _GAP + part * width
        places = (left, left + _NAME, left + _NAME + _TILE + _TEXT + 2 * _GAP)
        for place, text in zip(places, (found.model, "mild: should stay good", "strong"), strict=True):
            draw.text((place, 8), text, fill=_INK, font=ImageFont.load_default(14))
        for number, one in enumerate(rows[part * half : (part + 1) * half]):
            top = _HEAD + number * (_TILE + _GAP)
            _name(draw, one, (left, top))
            for place, example in zip(places[1:], one.examples, strict=True):
                _show(sheet, draw, example, (place, top))
    return sheet


def _name(draw: ImageDraw.ImageDraw, one: KindResult, at: tuple[int, int]) -> None:
    left, top = at
    draw.text((left, top + 6), one.kind.name, fill=_INK, font=ImageFont.load_default(15))
    lines = [*_wrap(one.kind.words, 26), f"strong: {describe_aim(one)}"]
    for k, line in enumerate(lines):
        draw.text((left, top + 30 + 18 * k), line, fill=_DIM, font=ImageFont.load_default(12))


def _show(sheet: Image.Image, draw: ImageDraw.ImageDraw, example: Example, at: tuple[int, int]) -> None:
    left, top = at
    tile = Image.fromarray(example.picture).resize((_TILE, _TILE), Image.Resampling.BILINEAR)
    sheet.paste(tile, (left, top))
    mark, ink = ("as wanted", _INK) if example.wanted else ("not as wanted", _MISS)
    for k, line in enumerate((*example.verdict, mark)):
        font = ImageFont.load_default(14 if k == 0 else 12)
        draw.text((left + _TILE + _GAP, top + 6 + 20 * k), line, fill=ink, font=font)


def _wrap(text: str, most: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines

"""A contact sheet of the degradations, to look at: a row per kind, a few pictures from still good to the worst."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imageqx_export.data.bank import Bank
from imageqx_export.data.degradations import Degrader
from imageqx_export.data.folder import read_folder
from imageqx_export.data.kinds import KINDS, Kind
from imageqx_export.data.sample_plan import plan_kind
from imageqx_export.data.scenes import SCENE_KINDS, render_scenes
from imageqx_export.data.synthetic import MILD, STRONG
from imageqx_export.data.vocabulary import REASONS
from imageqx_export.support.files import write_aside
from imageqx_export.support.progress import Progress, silent

SEVERITIES = (MILD, STRONG, 1.0)
_TILE, _GAP, _NAME, _HEAD = 112, 4, 150, 24


def draw_sheet(photos: Path | None, out: Path, *, columns: int = 3, seed: int = 0, progress: Progress = silent) -> None:
    """Draw the contact sheet of a folder's photos, or of synthetic scenes.

    Args:
        photos: A folder as training takes it; None for synthetic scenes.
        out: A PNG; replaced in one step.
        columns: Pictures per kind, each at three severities.
        seed: Of the pictures and of what is done to them.
        progress: Opens bars.

    Raises:
        DatasetError: The photos cannot be used.
    """
    if photos is None:
        bank = render_scenes(seed, 4 * SCENE_KINDS, progress=progress)
        bank = bank.take(np.flatnonzero(bank.reasons.sum(1) == 0))
    else:
        bank = read_folder(photos, progress=progress).bank
    room = Degrader(bank, torch.device("cpu"))
    width = _NAME + columns * (len(SEVERITIES) * (_TILE + _GAP) + 2 * _GAP)
    sheet = Image.new("RGB", (width, _HEAD + len(KINDS) * (_TILE + _GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for column in range(columns * len(SEVERITIES)):
        text = ("still good", "poor from here", "the worst")[column % len(SEVERITIES)]
        draw.text((_place(column), 6), text, fill="#5a5a5a", font=ImageFont.load_default(12))
    for number, kind in enumerate(KINDS):
        top = _HEAD + number * (_TILE + _GAP)
        reason = "harmless" if kind.reason is None else REASONS[kind.reason].replace("_", " ")
        for line, (text, ink) in enumerate(((kind.name, "black"), (reason, "#5a5a5a"))):
            draw.text((2, top + 8 + 18 * line), text, fill=ink, font=ImageFont.load_default(13))
        for column, picture in enumerate(_degrade(room, bank, kind, columns, seed + number)):
            tile = Image.fromarray(picture).resize((_TILE, _TILE), Image.Resampling.BILINEAR)
            sheet.paste(tile, (_place(column), top))
    with write_aside(out) as aside:
        sheet.save(aside, format="PNG")


def _place(column: int) -> int:
    return _NAME + column * (_TILE + _GAP) + column // len(SEVERITIES) * 2 * _GAP


def _degrade(room: Degrader, bank: Bank, kind: Kind, columns: int, seed: int) -> list[NDArray[np.uint8]]:
    """Return pictures of classes that take turns, each at the three severities; none where no picture suits."""
    suited = np.flatnonzero(kind.suits(bank, np.arange(len(bank))))
    if len(suited) == 0:
        return []
    rng = np.random.default_rng(seed)
    pools = [rng.permutation(suited[bank.quality[suited] == label]) for label in np.unique(bank.quality[suited])]
    chosen = [pools[i % len(pools)][i // len(pools) % len(pools[i % len(pools)])] for i in range(columns)]
    subject = np.repeat(np.array(chosen, np.int64), len(SEVERITIES))
    severity = np.tile(np.array(SEVERITIES, np.float32), columns)
    made = room.degrade(plan_kind(bank, subject, kind, severity, seed), bank.side)
    return list(made.to(torch.uint8).numpy())

"""The contact sheet: a row per kind, and a picture at its three severities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageqx_export.data import sheet
from imageqx_export.data.bank import PHOTO, SIDE, Bank, make_bank
from imageqx_export.data.kinds import KINDS
from tests.data.fakes import HEALTHY, LESION, NO_SKIN


def test_every_kind_has_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[80:140, 80:140] = 255
    images = np.full((3, SIDE, SIDE, 3), 150, np.uint8)
    bank = make_bank(images, np.array([LESION, NO_SKIN, HEALTHY]), PHOTO, masks=[mask] * 3)

    def render(seed: int, count: int, progress: object) -> Bank:
        return bank

    monkeypatch.setattr(sheet, "render_scenes", render)
    out = tmp_path / "sheet.png"
    sheet.draw_sheet(None, out, columns=1)
    drawn = np.asarray(Image.open(out).convert("RGB"), np.float64)
    rows = np.array_split(drawn[sheet._HEAD :, sheet._NAME :], len(KINDS))
    assert all(row.min() < 250 for row in rows)  # a row without pictures would be white
    (dark,) = [row for row, kind in zip(rows, KINDS, strict=True) if kind.name == "dark"]
    tiles = [float(np.median(dark[20:80, left + 20 : left + 80])) for left in (0, 116, 232)]
    assert tiles[0] > tiles[1] > tiles[2]  # still good, poor, the worst

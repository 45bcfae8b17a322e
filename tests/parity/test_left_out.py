"""What ``parity --photos`` passed over is counted, in words and in JSON; of generated pictures nothing is said."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from imageqx_export.artifact import Pixels
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.parity import stage
from imageqx_export.parity.compare import ParityReport
from tests.conftest import CHECKPOINT, Cli

PASSED_OVER = {
    "notes.txt": "no photo's name: .txt",
    "scans/old.pdf": "no photo's name: .pdf",
    "scans/older.pdf": "no photo's name: .pdf",
    "._IMG_1.JPG": "resource fork of macOS",
    "Thumbs.db": "a system's own file",
    ".hidden.png": "hidden",
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Write 64 photos, the fewest, among files that are none."""
    folder = tmp_path / "photos"
    (folder / "scans").mkdir(parents=True)
    control = np.random.default_rng(1)
    for number in range(64):
        picture = Image.fromarray(control.integers(0, 256, (12, 16, 3), np.uint8))
        picture.save(folder / ("scans" if number % 2 else ".") / f"{number}.png")
    for name in PASSED_OVER:
        (folder / name).write_bytes(b"no photo")
    return folder


@pytest.fixture(autouse=True)
def _compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the networks out: what is compared has tests of its own."""

    def report(folder: object, loaded: object, reference: object, pixels: Pixels, source: str, *_: object) -> object:
        fields = {"checkpoint_sha256": "0" * 64, "images": len(pixels), "source": source, "artifacts": ()}
        return ParityReport.model_validate(fields)

    monkeypatch.setattr(stage, "load_reference", lambda *_: (SimpleNamespace(spec=spec()), None))
    monkeypatch.setattr(stage, "_compare", report)


def test_what_was_passed_over_is_counted(photos: Path, tmp_path: Path, cli: Cli) -> None:
    words = ("parity", str(tmp_path), "--checkpoint", str(CHECKPOINT), "--photos", str(photos))
    report = json.loads(cli(*words, "--json").stdout)
    assert (report["images"], report["source"]) == (64, "photos")
    assert report["left_out"] == {reason: list(PASSED_OVER.values()).count(reason) for reason in PASSED_OVER.values()}
    told = " ".join(cli(*words).stderr.split())
    assert "passed over: " in told and "2 × no photo's name: .pdf" in told and "1 × hidden" in told


def test_of_a_folder_of_photos_alone_and_of_generated_ones_nothing_is_said(
    photos: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PASSED_OVER:
        (photos / name).unlink()
    monkeypatch.setattr(stage, "generate_images", lambda spec: np.zeros((64, 224, 224, 3), np.uint8))
    words = ("parity", str(tmp_path), "--checkpoint", str(CHECKPOINT))
    for more in (("--photos", str(photos)), ()):
        assert "left_out" not in json.loads(cli(*words, *more, "--json").stdout)
        assert "passed over" not in cli(*words, *more).stderr

"""The contact sheet: every photo has its card, and nothing that a file is called leaves the page's text."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageqx_export.errors import ImageQXError, PhotoError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.predict.batch import Assessment
from imageqx_export.predict.sheet import SIDE, open_sheet
from imageqx_export.predict.verdict import make_verdict
from tests.conftest import Cli


class _Page(HTMLParser):
    """The kinds of the cards, the pictures, the tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cards: list[str] = []
        self.pictures: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        if tag == "article":
            self.cards.append(str(values["class"]))
        if tag == "img":
            self.pictures.append(str(values["src"]))

    def handle_data(self, data: str) -> None:
        self.text += data


def _assess(photo: Path, *, poor: float) -> Assessment:
    explanations = np.array([[0.1, 0.2, poor, 0.01, 0.1]], np.float32)
    quality = np.array([[1 - poor, 0, 0, poor]], np.float32)
    maps = np.zeros((1, 5, 7, 7), np.float32)
    maps[0, 2, 3, 3] = 0.5
    outputs = {"quality": quality, "explanations": explanations, "attention": maps}
    return Assessment(photo, make_verdict(photo, outputs, 0, spec()), maps[0])


def test_a_card_a_photo(tmp_path: Path) -> None:
    photo = tmp_path / "<script>alert(1)</script>.png".replace("/", "∕")
    Image.new("RGB", (900, 300), (120, 90, 80)).save(photo)
    with open_sheet(tmp_path / "out", spec()) as sheet:
        sheet.add(_assess(photo, poor=0.9))
        sheet.add(_assess(photo, poor=0.0))
        sheet.add(Assessment(tmp_path / "none.png", PhotoError("no such file", got="nothing")))
        path = sheet.publish()
    page = _Page(path.read_text(encoding="utf-8"))
    assert page.cards == ["poor", "good", "unread"]
    assert "script" not in page.tags and photo.name in page.text
    assert page.pictures == [f"photos/{n}.jpg" for n in ("00001", "00001-where", "00002", "00002-where")]
    plain, where = (Image.open(path.parent / name) for name in page.pictures[:2])
    with plain, where:
        assert plain.size == where.size == (SIDE, SIDE // 3)
        difference = np.abs(np.asarray(plain, np.int16) - np.asarray(where, np.int16)).max(2)
        assert difference[80, 240] > 100 and difference[5, 5] < 8  # hot in the middle alone
    assert "Hold the phone still" in page.text and "3 photos" in page.text


def test_a_sheet_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_sheet(tmp_path / "out", spec()):
        raise KeyboardInterrupt
    assert not (tmp_path / "out").exists()


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ImageQXError, match="contact sheet"), open_sheet(tmp_path, spec()):
        pass


def test_the_command_writes_it(cli: Cli, tmp_path: Path) -> None:
    ran = cli("predict", "docs/shaky.jpg", "--html", str(tmp_path / "out"))
    assert "contact sheet" in ran.stderr
    assert _Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8")).cards == ["poor"]

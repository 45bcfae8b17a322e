"""The page in a real browser: light and dark, wide and phone-wide, with every text readable. ``make test-report``.

``IMAGEQX_SCREENSHOTS=DIR`` keeps the pictures, to look at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.report.render.html import render_html
from tests.report.full import full_report
from tests.slow.chromium import NAMES, Browser, browser, find_chromium

EXECUTABLE = find_chromium()
# Asked for by name, these tests do not pass by being left out.
if EXECUTABLE is None and os.environ.get("IMAGEQX_TEST_REPORT"):
    pytest.fail(f"none of {', '.join(NAMES)} is installed", pytrace=False)
pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason=f"none of {', '.join(NAMES)} is installed")

WIDTHS = (375, 1200)
OPEN = "document.querySelectorAll('details').forEach(d => d.open = true)"
WIDEST = "Math.max(document.documentElement.scrollWidth, innerWidth)"  # a phone zooms out to show what is too wide
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
LOW_CONTRAST = """
(() => {
  const parse = text => { const v = text.match(/[\\d.]+/g).map(Number); return v.length < 4 ? [...v, 1] : v; };
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map(v => linear(v / 255))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const paper = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c[3] === 1) return c; } return [255, 255, 255, 1]; };
  const found = [];
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), e = walker.currentNode.parentElement;
    if (!text || ['STYLE', 'title', 'desc'].includes(e.tagName) || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), svg = e.namespaceURI.endsWith('svg');
    const [a, b] = [light(parse(svg ? style.fill : style.color)), light(paper(e))].sort((x, y) => x - y);
    texts++;
    const ratio = (b + 0.05) / (a + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)}: ${text.slice(0, 60)}`);
  }
  return {texts, found};
})()
"""
SMALL_TEXT = """
(() => Math.min(...[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)))()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_html(full_report()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    assert EXECUTABLE is not None
    with browser(EXECUTABLE) as found:
        yield found


def shown(chromium: Browser, page: Path, width: int, dark: bool) -> None:
    chromium.open(page, width=width, dark=dark)
    chromium.value(OPEN)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page(chromium: Browser, page: Path, tmp_path: Path, width: int, dark: bool) -> None:
    shown(chromium, page, width, dark)
    assert chromium.value("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    assert chromium.value(WIDEST) == width
    contrast: dict[str, Any] = chromium.value(LOW_CONTRAST)
    assert contrast["texts"] > 500
    assert contrast["found"] == []
    assert chromium.value(SMALL_TEXT) >= 9  # CSS pixels of a line
    folder = Path(os.environ.get("IMAGEQX_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    picture = chromium.screenshot(folder / f"report-{width}-{'dark' if dark else 'light'}.png")
    assert picture.startswith(b"\x89PNG")
    assert chromium.requested() == [page.resolve().as_uri()]
    assert chromium.complaints() == []


def test_light_is_not_dark(chromium: Browser, page: Path, tmp_path: Path) -> None:
    papers, pictures = [], []
    for dark in (False, True):
        shown(chromium, page, 375, dark)
        papers.append(chromium.value(BACKGROUND))
        pictures.append(chromium.screenshot(tmp_path / f"{dark}.png"))
    assert papers == ["rgb(255, 255, 255)", "rgb(20, 23, 28)"]
    assert pictures[0] != pictures[1]


def test_the_boxes_scroll_by_themselves(chromium: Browser, page: Path) -> None:
    """What is too wide for a phone can be reached, by finger and by keyboard."""
    shown(chromium, page, 375, False)
    wide = "[...document.querySelectorAll('.box')].filter(b => b.scrollWidth > b.clientWidth)"
    assert chromium.value(f"{wide}.length") > 3
    assert chromium.value(f"{wide}.every(b => b.tabIndex === 0 && getComputedStyle(b).overflowX === 'auto')")


@pytest.mark.parametrize("width", [1000, 1184, 1300])
def test_points_and_their_table_are_whole_on_a_computer(chromium: Browser, page: Path, width: int) -> None:
    shown(chromium, page, width, False)
    assert chromium.value("document.querySelectorAll('.pair .box').length") > 3
    cut = "[...document.querySelectorAll('.pair .box')].filter(b => b.scrollWidth > b.clientWidth).length"
    assert chromium.value(cut) == 0


@pytest.mark.parametrize(
    ("bad", "check"),
    [
        ("<p style='width: 900px'>wide</p>", "overflow"),
        ("<p style='color: #999'>faint</p>", "contrast"),
        ("<script>console.log('hello')</script>", "complaints"),
        ("<img src='https://example.invalid/a.png' alt=''>", "complaints"),
    ],
)
def test_the_checks_see_what_they_look_for(chromium: Browser, page: Path, tmp_path: Path, bad: str, check: str) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(page.read_text(encoding="utf-8").replace("<h1>", bad + "<h1>"), encoding="utf-8")
    shown(chromium, broken, 375, False)
    found = {
        "overflow": chromium.value(WIDEST) > 375,
        "contrast": chromium.value(LOW_CONTRAST)["found"] != [],
        "complaints": chromium.complaints() != [],
    }
    assert [name for name, seen in found.items() if seen] == [check]
    if check == "complaints":  # the page's policy let nothing run, and nothing out
        assert all("Content Security Policy" in text for text in chromium.complaints())

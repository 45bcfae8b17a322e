"""The page: well-formed, alone in the world, safe with hostile names, readable in both schemes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from imageqx_export.report.model import Report
from imageqx_export.report.render.html import rate_heat, render_html
from imageqx_export.report.render.plots import find_front
from tests.report.fakes import ARTIFACTS
from tests.report.full import full_report

VOID = {"meta", "br", "wbr", "hr", "img", "input", "link"}
ADDRESSES = {"href", "src", "srcset", "action", "data", "poster", "cite", "background", "xlink:href", "formaction"}
HOSTILE = "x\"'><script>alert(1)</script><img src=//evil.example/a onerror=alert(2)>{{7*7}}_fp32.onnx"


class Page(HTMLParser):
    """A parser that keeps the tree's shape, and refuses what a browser would have to repair."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data

    def having(self, *tags: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag in tags]


@pytest.fixture(scope="module")
def report() -> Report:
    return full_report()


@pytest.fixture(scope="module")
def text(report: Report) -> str:
    return render_html(report)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_parser_refuses_a_page_that_is_not_well_formed() -> None:
    for bad in ("<p><b></p></b>", "<p>", "</p>", '<p id="a" id="b"></p>'):
        with pytest.raises(AssertionError):
            Page(bad)


def test_it_is_well_formed_and_every_id_is_there_once(text: str, page: Page) -> None:
    assert text.startswith("<!doctype html>")
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(set(ids)) == len(ids) > 50
    for _, attrs in page.tags:
        for value in (attrs.get("href"), *re.findall(r"url\((#[^)]*)\)", " ".join(v or "" for v in attrs.values()))):
            assert value is None or (value or "").removeprefix("#") in ids
        for name in (attrs.get("aria-labelledby") or "").split():
            assert name in ids


def test_it_needs_nothing_else(text: str, page: Page) -> None:
    assert not page.having("script", "link", "iframe", "object", "embed", "base", "form", "img")
    assert "://" not in text
    assert "@import" not in text
    for tag, attrs in page.tags:
        assert not any(name.startswith("on") for name in attrs), tag
        for name in ADDRESSES & attrs.keys():
            assert (attrs[name] or "").startswith("#"), (tag, name)
    policy = next(a["content"] for a in page.having("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_headings_go_down_one_at_a_time_and_tables_have_heads(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert {attrs.get("scope") for attrs in page.having("th")} <= {"col", "row"}
    for attrs in page.having("svg"):
        assert attrs["role"] == "img" and attrs["aria-labelledby"]
    regions = [attrs for attrs in page.having("div") if attrs.get("class") == "box"]
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in regions)
    assert page.having("html")[0]["lang"] == "en"
    assert any(attrs.get("name") == "viewport" for attrs in page.having("meta"))


def test_it_shows_what_the_report_says(report: Report, page: Page) -> None:
    shown = " ".join(page.text.split())
    for decision in report.decisions:
        assert decision.reason.replace(" %", "\u00a0%") in page.text
    for name in ARTIFACTS:
        assert name in shown
    for words in (
        "Something regressed",
        "▲ regression",
        "Pareto front",
        "macro F1",
        "conv_19",
        "w29",
        "dotprod kernels",
    ):
        assert words in shown
    assert "qualcomm SM8550, SM8650" in shown and "✓ right" in shown and "12 of 12" in shown and "2.1e-02" in shown
    assert "ethos-u U65-256" in shown and "refused" in shown and "no chip has confirmed it" in shown
    assert "onnxruntime 1.15.1 to 1.20.1✓ 1e-06onnxruntime:1.15.1" in shown, "versions that agree share a row"
    assert "litert 1.3.0✗ refusedlitert:1.3.0" in shown and "litert 2.3.0✗ 1e-01, 3 of 72 differ" in shown
    assert "lesion out of focusblurry200.05 (0.01–0.24)0.40 (0.22–0.61)–" in shown
    assert "✗ 1.0e-03" in shown and "max |Δ| is too large" in shown
    assert "everything between" in shown and "+40" in shown
    assert "early.stages.6.0.block.1.fc2:conv44.00.0060-0.06+0.12yes" in shown
    assert len(page.having("svg")) == 6  # a front and a history, on two targets, the accuracies and the layers


def test_what_is_absent_is_said_to_be_absent(report: Report) -> None:
    bare = report.model_copy(
        update={
            "breakdowns": (),
            "layers": (),
            "points": (),
            "accuracies": (),
            "parity": None,
            "proved": (),
            "runtimes": None,
            "robustness": (),
            "sensitivity": (),
        }
    )
    shown = Page(render_html(bare)).text
    for words in (
        "No line to draw",
        "No current run has a profile",
        "No artifacts were given",
        "No comparison with the checkpoint was given",
        "No evaluation was given",
        "No check of robustness was given",
        "No analysis of layers was given",
        "Nothing is proved of these files on accelerators",
        "Nothing is known of these files on other versions of runtimes",
        "so this page does not know their accuracy",
    ):
        assert words in " ".join(shown.split()), words


def test_hostile_names_stay_text() -> None:
    report = full_report(rename={"imageqx_fp32.onnx": HOSTILE, "host": "</title><script>", "w3": "<b>w3"})
    page = Page(render_html(report))
    assert not page.having("script", "img", "b")
    assert HOSTILE in page.text
    assert "</title><script>" in page.text
    assert "49" not in HOSTILE and "{{7*7}}" in page.text
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def colors(text: str) -> list[dict[str, str]]:
    """Return the variables of the light and of the dark scheme."""
    blocks = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks)
    assert light.keys() == dark.keys()
    return [light, dark]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio. Source: WCAG 2.2, relative luminance."""

    def luminance(color: str) -> float:
        values = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast(text: str) -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the textbook's near miss
    for scheme in colors(text):
        pairs = [(ink, paper) for ink in ("ink", "muted") for paper in ("paper", "panel")]
        pairs += [("ink", f"heat-{k}") for k in range(6)]
        pairs += [(name, f"{name}-paper") for name in ("good", "bad", "open")]
        for ink, paper in pairs:
            assert contrast(scheme[ink], scheme[paper]) >= 4.5, (ink, paper, contrast(scheme[ink], scheme[paper]))
        for line in [*(f"series-{k}" for k in range(6)), "bar"]:
            assert contrast(scheme[line], scheme["panel"]) >= 3, line


def test_every_colour_of_the_plots_is_the_pages(text: str) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "var(--ink)" in drawn and "var(--series-0)" in drawn
    assert not re.findall(r"#[0-9a-f]{6}", drawn), "a colour that does not turn with the scheme"
    known = colors(text)[0]
    assert set(re.findall(r"var\(--([\w-]+)\)", text)) <= known.keys()


def test_the_same_report_gives_the_same_page(report: Report, text: str) -> None:
    assert render_html(report) == text


def test_the_front_is_what_no_other_beats() -> None:
    assert find_front([(1, 1), (1, 1), (2, 0), (2, 1)]) == {0, 1, 2}
    assert find_front([(3,), (1,), (2,)]) == {1}
    assert find_front([]) == set()


@pytest.mark.parametrize("limit", [1e-4, 5e-3])
def test_heat_rises_with_the_difference(limit: float) -> None:
    steps = [rate_heat(limit * 10**-k, limit) for k in (9, 4, 3, 2, 1, 0)]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1], rate_heat(limit * 1.001, limit)) == (0, 4, 5)

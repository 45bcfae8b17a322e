"""The comment on a pull request: one table, and what needs a look."""

from __future__ import annotations

import re

import pytest

from imageqx_export.report.model import Pair
from imageqx_export.report.render.markdown import render_markdown
from imageqx_export.report.rules.verdicts import MARKS, Verdict
from imageqx_export.support.escapes import escape_markdown as escape
from tests.report.full import full_report


@pytest.fixture(scope="module")
def text() -> str:
    return render_markdown(full_report())


def test_one_table_with_a_row_per_artifact_and_target(text: str) -> None:
    lines = text.splitlines()
    start = lines.index("| artifact | target | size | p50 | p90 | instructions | parity |")
    table = lines[start : lines.index("", start)]
    assert len(table) == 2 + 5 + 4  # Core ML is unavailable on the host, and not on the phone's list
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table]
    assert {len(row) for row in cells} == {7}
    slow = next(row for row in cells if "fp32.tflite" in row[0] and "host" in row[1])
    assert re.fullmatch(r" 18\.\d\d ms \+[89]\.\d % ▲ ", slow[3])
    assert re.fullmatch(r" \d+\.\d\d ms \+[89]\.\d % ", slow[4])  # p90 is shown, and not judged
    core_ml = next(row for row in cells if "mlpackage" in row[0])
    assert core_ml[3].strip() == "–"


def test_what_a_person_waits_for_has_a_table_where_it_was_timed(text: str) -> None:
    report = full_report()
    first, *others = report.rows
    waited = first.model_copy(
        update={"photo": Pair(before=0.05, after=0.04), "photo_cold": Pair(before=None, after=0.2)}
    )
    found = render_markdown(report.model_copy(update={"rows": (waited, *others)}))
    begin = found.index("From a photo of 12 megapixels to a verdict")
    table = found[begin : found.index("</details>", begin)].splitlines()[4:-1]
    assert table == ["| artifact | target | warm | cold |", "|---|---|--:|--:|", table[2]]
    assert table[2].endswith("| 40.00 ms -20.0 % | 200.00 ms |") or table[2].endswith(
        "| 40.00 ms −20.0 % | 200.00 ms |"
    )
    assert "12 megapixels" not in text


def test_what_needs_a_look_comes_with_its_reason(text: str) -> None:
    assert text.startswith("## Something regressed: ")
    assert re.search(r"- imageqx\\_fp32\.tflite, host, latency: \*\*regression\*\*: slower in 2 of 2 runs: \+", text)
    assert "<details><summary>Where imageqx\\_fp32.onnx changed by +40 bytes</summary>" in text
    assert "| structure | everything between | 15,564,960 | 15,565,000 | +40 |" in text


def test_accelerators_answers_are_folded_away_and_say_whose_word_it_is(text: str) -> None:
    folded = text.partition("<details><summary>On phones' accelerators</summary>")[2].partition("</details>")[0]
    assert "no chip has confirmed it" in folded
    right, refused = [re.split(r"(?<!\\)\|", line)[1:-1] for line in folded.splitlines() if "fp32" in line]
    assert [cell.strip() for cell in right[1:-1]] == [
        "qualcomm SM8550, SM8650",
        "right",
        "all",
        "12 of 12",
        "2.1e-02",
    ]
    assert [cell.strip() for cell in refused[1:-1]] == ["ethos-u U65-256", "refused", "–", "–", "–"]
    assert "accelerators" not in render_markdown(full_report().model_copy(update={"proved": ()}))


def test_versions_of_runtimes_are_folded_away_a_table_a_format(text: str) -> None:
    folded = text.partition("<details><summary>On versions of runtimes</summary>")[2].partition("</details>")[0]
    assert "| runtime | fp32 |" in folded
    assert "| onnxruntime 1.15.1 to 1.20.1 | 1e-06 |" in folded, "versions that agree share a row"
    assert "| litert 1.3.0 | refused |" in folded and "| litert 2.3.0 | 1e-01, 3 of 72 differ |" in folded
    assert "versions of runtimes" not in render_markdown(full_report().model_copy(update={"runtimes": None}))


def test_every_verdict_has_a_mark_of_its_own_kind() -> None:
    assert set(MARKS) == set(Verdict)
    assert MARKS[Verdict.REGRESSION] not in {mark for v, mark in MARKS.items() if v is not Verdict.REGRESSION}


@pytest.mark.parametrize("name", ["a|b", "<script>", "*x*", "`x`", "[x](y)", "a\nb", "_x_", "~~x~~", "&lt;", "#1"])
def test_hostile_names_stay_text(name: str) -> None:
    text = render_markdown(full_report(rename={"imageqx_fp32.onnx": name}))
    assert "<script>" not in text
    assert escape(name) in text
    rows = [line for line in text.splitlines() if line.startswith("|") and "host" in line]
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {9}

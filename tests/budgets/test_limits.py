"""Budgets: the shipped file says what it must, and others are refused with a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageqx_export.artifact import Format, Precision
from imageqx_export.budgets.limits import SHIPPED, Budgets, read_budgets, size_limit
from imageqx_export.errors import MeasurementError

HEAD = "schema_version = 1\n"
W8 = f"{HEAD}[size_bytes]\n[accuracy]\nsamples = 9\n[accuracy.w8]\n"


def test_the_shipped_budgets_are_those_of_the_specification() -> None:
    found = read_budgets()
    for precision, limit in (("w8", 0.3), ("w8a8", 0.5)):
        budget = found.cost(Precision(precision))
        assert budget is not None
        figures = [budget.macro_f1, budget.reason_f1, budget.agreement, budget.ece]
        assert figures == [limit, 1, 98, 1]
    assert found.cost(Precision.FP32) is None and found.cost(Precision.FP16) is None
    sizes = {"fp32": 16_900_000, "fp16": 8_700_000, "w8": 4_900_000, "w8a8": 5_200_000}
    names = {p: [f"imageqx_{p}{f.suffix}" for f in Format] for p in Precision}
    assert {p: {size_limit(n, found.size_bytes) for n in names[p]} for p in Precision} == {
        p: {size} for p, size in sizes.items()
    }


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("", "schema_version"),
        (HEAD, "size_bytes"),
        ("schema_version = 2\n[size_bytes]", "schema_version"),
        (f"{HEAD}size_bytes = 3", "size_bytes"),
        (f"{HEAD}[size_bytes]\na = 1.5", "size_bytes.a"),
        (f"{HEAD}[size_bytes]\na = -1", "size_bytes.a"),
        (f"{HEAD}[size_bytes]\na = true", "size_bytes.a"),
        (f"{HEAD}[size_bytes]\n[accuracy]\nsamples = 0", "accuracy.samples"),
        (f"{HEAD}[size_bytes]\n[accuracy]\n[accuracy.w8]\nmacro_f1 = 1", "accuracy.samples"),
        (f"{HEAD}[size_bytes]\n[accuracy]\nsamples = 9\n[accuracy.w8]\nmacro = 1", "accuracy.w8"),
        (f"{HEAD}[size_bytes]\n[accuracy]\nsamples = 9\n[accuracy.int8]\nmacro_f1 = 1", "accuracy.int8"),
        (f"{W8}macro_f1 = -1", "accuracy.w8.macro_f1"),
        (f"{W8}macro_f1 = 101", "accuracy.w8.macro_f1"),
        (
            f"{HEAD}[size_bytes]\n[accuracy]\nsamples = 9\n[accuracy.w8]\nmacro_f1 = 1\nagreement = -1",
            "accuracy.w8.agreement",
        ),
        (
            f"{HEAD}[size_bytes]\n[accuracy]\nsamples = 9\n[accuracy.w8]\nmacro_f1 = 1\nagreement = 101",
            "accuracy.w8.agreement",
        ),
        (
            f"{HEAD}[size_bytes]\n[accuracy]\nsamples = 9\n[accuracy.w8]\nmacro_f1 = 1\nreason_f1 = -0.1",
            "accuracy.w8.reason_f1",
        ),
        (
            f"{HEAD}[size_bytes]\n[accuracy]\nsamples = 9\n[accuracy.w8]\nmacro_f1 = 1\nece = 1e9",
            "accuracy.w8.ece",
        ),
        (f"{W8}macro_f1 = nan", "not finite"),
        (f"{W8}macro_f1 = inf", "not finite"),
        (f"{W8}macro_f1 = -inf", "not finite"),
        (f"{W8}macro_f1 = 1e999", "not finite"),
        ("=", ""),
    ],
)
def test_files_that_are_no_budgets(tmp_path: Path, content: str, place: str) -> None:
    path = tmp_path / "budgets.toml"
    path.write_text(content)
    with pytest.raises(MeasurementError, match="not a file of budgets") as caught:
        read_budgets(path)
    assert str(path) in str(caught.value) and place in str(caught.value)


def test_the_first_three_problems_are_told_and_the_others_counted(tmp_path: Path) -> None:
    path = tmp_path / "budgets.toml"
    path.write_text(f"{HEAD}[size_bytes]\na = -1\nb = 1.5\nc = 'x'\nd = -2\ne = -3\n")
    with pytest.raises(MeasurementError) as caught:
        read_budgets(path)
    got = caught.value.got or ""
    assert all(f"size_bytes.{name}: " in got for name in "abc") and got.endswith("; and 2 more")


def test_the_shipped_budgets_are_found_from_any_folder_and_others_take_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = read_budgets(SHIPPED)
    monkeypatch.chdir(tmp_path)
    assert read_budgets() == shipped and shipped.accuracy is not None
    with pytest.raises(MeasurementError, match="not a file of budgets"):
        read_budgets(tmp_path / "none.toml")
    (tmp_path / "own.toml").write_text(f'{HEAD}[size_bytes]\n"*" = 2\n')
    own = read_budgets(tmp_path / "own.toml")
    assert own == Budgets(schema_version=1, size_bytes={"*": 2}) and own.cost(Precision.W8A8) is None

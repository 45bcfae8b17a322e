"""Mean and standard deviation over runs, against the statistics module."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageqx_export.artifact import Checkpoint
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.networks.imageqx.spec import LABELS, REASONS, spec
from imageqx_export.training.metrics import score
from imageqx_export.training.seeds import Spread, Summary, compute_spread, summarise
from imageqx_export.training.targets.labels import TARGETS

PHOTOS = LabelledPhotos(
    np.zeros((0, 224, 224, 3), np.uint8),
    np.zeros(0, np.int64),
    np.zeros((0, 5), np.float32),
    np.zeros(0, np.int64),
    (),
    "nothing",
)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_the_spread_is_that_of_a_sample(values: list[float]) -> None:
    got = compute_spread(values)
    assert got.mean == pytest.approx(statistics.mean(values), abs=1e-6)
    assert got.sd == pytest.approx(statistics.stdev(values), abs=1e-6)


def test_one_run_has_no_spread() -> None:
    assert compute_spread([0.25]) == Spread(mean=0.25, sd=None)
    assert compute_spread([0.1, 0.3]).sd == pytest.approx(0.2 / 2**0.5, abs=1e-6)  # by hand: divided by n - 1, not by n


def runs(count: int) -> tuple[list[Checkpoint], list[dict[str, dict[str, Any]]]]:
    rng = np.random.default_rng(count)
    truth, flags = rng.integers(0, 4, 50), rng.integers(0, 2, (50, 5)).astype(np.float32)
    made = [
        Checkpoint(path=Path(f"{seed}"), sha256="", spec=spec(), metrics={}, provenance={"config": {"seed": seed}})
        for seed in range(7, 7 + count)
    ]
    scores = [score(rng.integers(0, 4, 50), rng.random((50, 5)) < 0.5, truth, flags, spec()) for _ in made]
    return made, [{"test": row, "scenes": row} for row in scores]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_summary_of_runs(count: int) -> None:
    made, scores = runs(count)
    got = summarise(made, scores, {"test": PHOTOS, "scenes": PHOTOS}, TARGETS)
    assert got.seeds == tuple(range(7, 7 + count))
    assert list(got.tests) == ["test", "scenes"] and got.tests["test"].source == "nothing"
    for group, names in (("quality", LABELS), ("explanations", REASONS)):
        for key in ("f1", "recall", "specificity"):
            columns = {name: [run["test"][group][name][key] for run in scores] for name in names}
            # The paper's mean row: the mean over classes in each run, and then over runs.
            columns["macro"] = [statistics.mean(column) for column in zip(*columns.values(), strict=True)]
            for name, values in columns.items():
                row = (got.tests["test"].macro[group] if name == "macro" else got.tests["test"].rows[name])[key]
                assert row.mean == pytest.approx(statistics.mean(values), abs=1e-6)
                expected = statistics.stdev(values) if count > 1 else None
                assert row.sd == (None if expected is None else pytest.approx(expected, abs=1e-6))
    assert Summary.model_validate(got.model_dump(mode="json")) == got

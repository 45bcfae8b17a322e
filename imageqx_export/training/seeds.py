"""Measure what several runs reach, and give mean ± standard deviation, as the paper does over five."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from imageqx_export.artifact import Checkpoint
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.decisions import decide
from imageqx_export.networks.base import Network
from imageqx_export.runtimes.torch import TorchRuntime
from imageqx_export.support.progress import Progress, silent
from imageqx_export.training.metrics import score

_CHUNK = 32


class Spread(BaseModel):
    """A number over several runs: mean, and the sample standard deviation (n - 1), None for one run."""

    model_config = ConfigDict(frozen=True)
    mean: float
    sd: float | None


class Table(BaseModel):
    """One held-out set's scores over the runs.

    Args:
        source: What the photos are.
        rows: Per label and reason, ``f1``, ``recall`` and ``specificity``.
        macro: Per group (``quality``, ``explanations``), the mean over its rows of each, in each run.
    """

    model_config = ConfigDict(frozen=True)
    source: str
    rows: dict[str, dict[str, Spread]]
    macro: dict[str, dict[str, Spread]]


class Summary(BaseModel):
    """What the runs reach on each held-out set; ``seeds`` is empty in a process that does not measure."""

    model_config = ConfigDict(frozen=True)
    seeds: tuple[int, ...] = ()
    tests: dict[str, Table] = {}


def measure_runs(
    checkpoints: Sequence[Checkpoint],
    networks: Sequence[Network],
    tests: Mapping[str, LabelledPhotos],
    *,
    progress: Progress = silent,
) -> list[dict[str, dict[str, Any]]]:
    """Score each checkpoint's network on each set, with its own thresholds; see :func:`metrics.score`."""
    rows = []
    batches = sum(-(-len(photos) // _CHUNK) for photos in tests.values())
    with progress("measuring on the test side", batches * len(checkpoints)) as advance:
        for checkpoint, network in zip(checkpoints, networks, strict=True):
            runtime = TorchRuntime(network, checkpoint.spec)
            thresholds = np.array([runtime.spec.thresholds[reason] for reason in runtime.spec.reasons])
            row = {}
            for name, photos in tests.items():
                guessed, given = [], []
                for start in range(0, len(photos), _CHUNK):
                    outputs = runtime.run(photos.pixels[start : start + _CHUNK])
                    guessed.append(decide(outputs["quality"], runtime.spec))
                    given.append(outputs["explanations"] >= thresholds)
                    advance()
                row[name] = score(np.concatenate(guessed), np.concatenate(given), photos.quality, photos.reasons)
            rows.append(row)
    return rows


def summarise(
    checkpoints: Sequence[Checkpoint],
    scores: Sequence[Mapping[str, Mapping[str, Any]]],
    tests: Mapping[str, LabelledPhotos],
) -> Summary:
    """Put several runs' scores together."""
    seeds = []
    for checkpoint in checkpoints:
        config: Any = checkpoint.provenance["config"]
        seeds.append(int(config["seed"]))
    return Summary(seeds=tuple(seeds), tests={name: _make_table(scores, name, tests[name].source) for name in tests})


def _make_table(scores: Sequence[Mapping[str, Mapping[str, Any]]], test: str, source: str) -> Table:
    rows, macro = {}, {}
    for group in ("quality", "explanations"):
        runs = [run[test][group] for run in scores]
        for name in runs[0]:
            rows[name] = {key: compute_spread([run[name][key] for run in runs]) for key in runs[0][name]}
        keys = next(iter(runs[0].values()))
        macro[group] = {
            key: compute_spread([float(np.mean([r[key] for r in run.values()])) for run in runs]) for key in keys
        }
    return Table(source=source, rows=rows, macro=macro)


def compute_spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation.

    >>> compute_spread([0.7, 0.8, 0.9])
    Spread(mean=0.8, sd=0.1)
    """
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(mean=round(float(np.mean(values)), 6), sd=None if sd is None else round(sd, 6))

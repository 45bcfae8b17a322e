"""Measure what several runs reach, and give mean ± standard deviation, as the paper does over five."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from imageqx_export.artifact import Checkpoint
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.networks.base import Network
from imageqx_export.runtimes.torch import TorchRuntime
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.progress import Progress, silent
from imageqx_export.training.targets.base import Groups, Targets

_CHUNK = 32


class Spread(Frozen):
    """A number over several runs: mean, and the sample standard deviation (n - 1), None for one run."""

    mean: float
    sd: float | None


class Table(Frozen):
    """One held-out set's scores over the runs.

    Args:
        source: What the photos are.
        rows: Per label and reason (or ``good``), numbers such as ``f1``.
        macro: Per group of rows (``quality``, ``explanations``), the mean over its rows of each, in each run.
    """

    source: str
    rows: dict[str, dict[str, Spread]]
    macro: dict[str, dict[str, Spread]]


class Summary(Frozen):
    """What the runs reach on each held-out set; ``seeds`` is empty in a process that does not measure."""

    seeds: tuple[int, ...] = ()
    tests: dict[str, Table] = Field(default_factory=dict)


def measure_runs(
    checkpoints: Sequence[Checkpoint],
    networks: Sequence[Network],
    tests: Mapping[str, LabelledPhotos],
    targets: Targets,
    *,
    progress: Progress = silent,
) -> list[dict[str, dict[str, Any]]]:
    """Score each checkpoint's network on each set, with its own thresholds; see :meth:`Targets.score`."""
    rows = []
    batches = sum(-(-len(photos) // _CHUNK) for photos in tests.values())
    with progress("measuring on the test side", batches * len(checkpoints)) as advance:
        for checkpoint, network in zip(checkpoints, networks, strict=True):
            runtime = TorchRuntime(network, checkpoint.spec)
            row = {}
            for name, photos in tests.items():
                parts = []
                for start in range(0, len(photos), _CHUNK):
                    parts.append(runtime.run(photos.pixels[start : start + _CHUNK]))
                    advance()
                outputs = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
                row[name] = targets.score(outputs, photos, checkpoint.spec)
            rows.append(row)
    return rows


def summarise(
    checkpoints: Sequence[Checkpoint],
    scores: Sequence[Mapping[str, Mapping[str, Any]]],
    tests: Mapping[str, LabelledPhotos],
    targets: Targets,
) -> Summary:
    """Put several runs' scores together."""
    seeds = []
    for checkpoint in checkpoints:
        config: Any = checkpoint.provenance["config"]
        seeds.append(int(config["seed"]))
    tables = {}
    for name, photos in tests.items():
        tables[name] = _make_table([targets.group(run[name]) for run in scores], photos.source)
    return Summary(seeds=tuple(seeds), tests=tables)


def _make_table(scores: Sequence[Groups], source: str) -> Table:
    rows, macro = {}, {}
    for group in scores[0]:
        runs = [run[group] for run in scores]
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

"""Measure what quantization costs: each file on the same thousands of held-out samples, apart from this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import NamedTuple

import numpy as np

from imageqx_export.artifact import Artifact, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.settings import choose_settings
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.errors import ImageQXError
from imageqx_export.evaluation.accuracy_loss import Accuracy, accuracy
from imageqx_export.runtimes import load_runtime
from imageqx_export.support.files import digest
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.processes import quiet, run_isolated, start_pool
from imageqx_export.support.progress import Progress
from imageqx_export.support.recall import ARRAYS, Form, hold_model, recall_each
from imageqx_export.support.store import NO_STORE, Store

_STEP = 100
"""Samples between two advances of the bar."""


class Costs(NamedTuple):
    """What files cost against the float32 one.

    Attributes:
        samples: How many samples they were measured on.
        source: Where those come from, in words.
        found: By the file's path in the manifest: what it costs, or why it cannot be run.
    """

    samples: int
    source: str
    found: dict[str, Accuracy | ImageQXError]


class _Cost(Frozen):
    """One file's cost, as it is kept."""

    samples: int
    source: str
    accuracy: Accuracy


_COST = hold_model(_Cost)


class _Measured(NamedTuple):
    """What one file costs, or why it cannot be run, and what it was measured on."""

    samples: int
    source: str
    found: Accuracy | ImageQXError


def measure_costs(
    folder: Path,
    reference: Path,
    artifacts: Sequence[Artifact],
    samples: int,
    photos: LabelledPhotos | None,
    store: Store,
    progress: Progress,
) -> Costs:
    """Run files in processes of their own, and compare each with the float32 file; a crash is a result too.

    Args:
        folder: The folder that the artifacts' paths are relative to.
        reference: The float32 file.
        artifacts: Quantized ones.
        samples: How many samples to draw where there are no photos.
        photos: What to measure on, of which nothing is kept; None for the test side of synthetic scenes.
        store: Where costs are kept, and answers for those that are measured later.
        progress: Opens bars.

    Raises:
        ArtifactError: The float32 file cannot be run.
    """
    if photos is not None:
        store = NO_STORE
    given = {"samples": samples, "spec": artifacts[0].spec.model_dump(mode="json")}
    against = digest(reference) if store.folder is not None else ""

    def measure(missing: Sequence[Artifact]) -> list[_Measured]:
        some = photos
        if some is None:
            settings = choose_settings(artifacts[0].spec)
            some = load_held_out("test", Sources(), samples, settings=settings, progress=progress)
        answers = _run_all(store, [reference, *(folder / one.path for one in missing)], some, given, progress)
        before = answers[reference].result()
        return [
            _Measured(len(some), some.source, _measure(before, answers[folder / one.path], some, one))
            for one in missing
        ]

    rows = recall_each(
        store,
        artifacts,
        lambda one: store.make_key("cost", file=one.sha256, reference=against, **given),
        measure,
        Form(_write, _read),
    )
    found = {str(one.path): row.found for one, row in zip(artifacts, rows, strict=True)}
    return Costs(rows[0].samples, rows[0].source, found)


def _write(row: _Measured) -> Mapping[str, bytes]:
    if isinstance(row.found, ImageQXError):
        return {}
    return _COST.write(_Cost(samples=row.samples, source=row.source, accuracy=row.found))


def _read(files: Mapping[str, bytes]) -> _Measured:
    cost = _COST.read(files)
    return _Measured(cost.samples, cost.source, cost.accuracy)


def _run_all(
    store: Store, paths: Sequence[Path], photos: LabelledPhotos, given: Mapping[str, object], progress: Progress
) -> dict[Path, Future[Outputs]]:
    """Run every file in a process of its own, and wait for all, while a bar advances with the samples."""
    title = f"measuring accuracy: {', '.join(path.name for path in paths)}"
    steps = -(-len(photos) // _STEP)
    with temporary_folder("budgets") as place, start_pool() as threads, progress(title, steps * len(paths)) as advance:
        pixels = place / "pixels.npy"  # 600 MB, which a pipe to each process would copy twice
        np.save(pixels, photos.pixels)
        jobs = {
            path: threads.submit(_recall, store, path, pixels, place / f"{index}.steps", given)
            for index, path in enumerate(paths)
        }
        shown, running = 0, set(jobs.values())
        while running:
            running = wait(running, timeout=1.0).not_done
            done = sum(file.stat().st_size for file in place.glob("*.steps")) if running else steps * len(paths)
            for _ in range(done - shown):
                advance()
            shown = max(shown, done)
        return jobs


def _recall(store: Store, path: Path, pixels: Path, steps: Path, given: Mapping[str, object]) -> Outputs:
    return recall_each(
        store,
        [path],
        lambda one: store.make_key("held out", file=digest(one), suffix=one.suffix, **given),
        lambda missing: [run_isolated(run_on_pixels, one, pixels, steps) for one in missing],
        ARRAYS,
    )[0]


def run_on_pixels(path: Path, pixels: Path, steps: Path) -> Outputs:
    """Run a file on the pixels in a ``.npy``: uint8 [N,H,W,3].

    Args:
        path: The artifact.
        pixels: The ``.npy``.
        steps: A file that grows by a byte per hundred samples, for a bar in another process.

    Raises:
        ArtifactError: The file cannot be read or run.
    """
    given = np.load(pixels, mmap_mode="c")
    with quiet(), steps.open("wb", buffering=0) as file:
        runtime = load_runtime(path)
        rows = []
        for start in range(0, len(given), _STEP):
            rows.append(runtime.run(given[start : start + _STEP]))
            file.write(b".")
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _measure(
    before: Outputs, job: Future[Outputs], photos: LabelledPhotos, artifact: Artifact
) -> Accuracy | ImageQXError:
    try:
        return accuracy(before, job.result(), photos, artifact.spec)
    except ImageQXError as error:
        return error
    except Exception as error:  # a runtime may raise anything; that too is a failure of the file
        return ImageQXError("the artifact cannot be run", got=f"{type(error).__name__}: {error}")

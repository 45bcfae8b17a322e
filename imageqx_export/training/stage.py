"""The training stage: photos in, a checkpoint and its model card out; several seeds, if wanted, and what they reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export.artifact import Checkpoint
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.data.annotated import labels_of, read_labelled
from imageqx_export.data.bank import RATED, Bank, bank_of, join
from imageqx_export.data.folder import PhotoFolder, read_folder
from imageqx_export.data.held_out import drawn, held_out_bank
from imageqx_export.data.labels import LabelledPhotos, Split
from imageqx_export.data.painted import paint
from imageqx_export.errors import DatasetError, StoppedError
from imageqx_export.progress import Progress, silent
from imageqx_export.training import loop
from imageqx_export.training.calibrate import choose_thresholds
from imageqx_export.training.card import write_card
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.logs import tensorboard
from imageqx_export.training.loop import TrainingData
from imageqx_export.training.parallel import World, world
from imageqx_export.training.seeds import Summary, measured, summary
from imageqx_export.training.state import state_path
from imageqx_export.training.thresholds import Criterion

Report = Callable[[int, float, dict[str, Any]], None]


@dataclass(frozen=True)
class Sources:
    """Say where photos come from; with nothing, painted scenes are all there is.

    Args:
        photos: A folder with ``lesion``, ``healthy_skin`` and ``no_skin``, which are spoilt on purpose.
        annotations: A table of ratings, or of fused labels.
        images: The folder of the table's photos.
    """

    photos: Path | None = None
    annotations: Path | None = None
    images: Path | None = None

    def __post_init__(self) -> None:
        if (self.annotations is None) != (self.images is None):
            raise DatasetError("a table of ratings needs its photos", expected="--annotations with --images")


def train(
    config: TrainingConfig,
    out: Path,
    sources: Sources | None = None,
    *,
    seeds: int = 1,
    criterion: Criterion | None = None,
    test_samples: int = 1000,
    logs: Path | None = None,
    resume: bool = True,
    progress: Progress = silent,
    report: Report = lambda epoch, loss, metrics: None,
) -> tuple[Checkpoint, Summary]:
    """Train and write ``out``, its card ``<out's stem>.md``, and what every seed reaches on the test side.

    With several seeds, each has its own checkpoint ``<out's stem>.seed<n>.safetensors``; the one that does best on
    validation becomes ``out``.

    Args:
        config: How to train; its seed is the first.
        out: The checkpoint.
        sources: Where photos come from.
        seeds: How many runs.
        criterion: How thresholds are chosen, on validation, after temperatures are fitted; None leaves both out.
        test_samples: How many samples to make for the test, where there is no table.
        logs: A folder for TensorBoard's event files; None writes none.
        resume: Whether to go on from an earlier run's state.
        progress: Opens bars.
        report: Called before the first epoch and after every one.

    Raises:
        DatasetError: The photos cannot be trained on.
        TrainingError: The run cannot go on; the last good state is kept.
        StoppedError: Ctrl-C; likewise.
    """
    sources = sources or Sources()
    try:
        with world(config.batch_size) as here:
            shown = progress if here.first else silent
            folder = None if sources.photos is None else read_folder(sources.photos, progress=shown)
            checkpoints = []
            validation = held_out_photos("val", sources, folder, config.validation_samples, progress=shown)
            for seed in range(config.seed, config.seed + seeds):
                own = replace(config, seed=seed)
                path = out if seeds == 1 else out.with_name(f"{out.stem}.seed{seed}{out.suffix}")
                data = training_data(own, sources, folder, validation, progress=shown)
                checkpoints.append(_run(own, path, data, here, logs, resume, shown, report))
                if criterion is not None and here.first:
                    checkpoints[-1], _ = choose_thresholds(path, validation, criterion, progress=shown)
            return _finished(checkpoints, out, sources, folder, test_samples, here, shown)
    except KeyboardInterrupt:
        raise StoppedError(
            "stopped; the epochs that were finished are kept", where=state_path(out), got="Ctrl-C",
            remedy="the same command, which goes on from there",
        ) from None  # fmt: skip


def training_data(
    config: TrainingConfig,
    sources: Sources,
    folder: PhotoFolder | None,
    validation: LabelledPhotos,
    *,
    progress: Progress = silent,
) -> TrainingData:
    """Gather the pictures that one run makes its samples from."""
    banks = [] if folder is None else [folder.side("train")]
    facts: dict[str, Any] = {"validation": validation.source, "painted": config.painted}
    if folder is not None:
        sides: dict[Split, dict[str, int]] = {side: folder.counts(side) for side in ("train", "val", "test")}
        facts["photos"] = {**sides, "skipped": folder.skipped}
    if sources.annotations is not None and sources.images is not None:
        rated = _rated(sources.annotations, sources.images, config.soft_labels, progress)
        facts["rated"] = {"photos": len(rated), "table": sources.annotations.name}
        banks.append(rated)
    banks.append(paint(config.seed, config.painted, progress=progress))
    return TrainingData(join(banks), validation, facts)


def held_out_photos(
    split: Split, sources: Sources, folder: PhotoFolder | None, count: int, *, progress: Progress = silent
) -> LabelledPhotos:
    """Return one held-out side: the table's photos, if there is a table, and samples of photos and scenes otherwise."""
    if sources.annotations is not None and sources.images is not None:
        return read_labelled(sources.annotations, sources.images, split, progress=progress)
    bank = held_out_bank(split, folder, progress=progress)
    return drawn(bank, count, split, folder is not None, progress=progress)


def _rated(annotations: Path, images: Path, soft: bool, progress: Progress) -> Bank:
    read = read_labelled(annotations, images, "train", progress=progress)
    shares = {label.image: label.shares for label in labels_of(annotations, images)}
    labels = np.array([shares[name] for name in read.names], np.float32) if soft else read.quality
    return bank_of(read.pixels, labels, RATED, read.reasons, read.fitzpatrick)


def _run(
    config: TrainingConfig,
    path: Path,
    data: TrainingData,
    here: World,
    logs: Path | None,
    resume: bool,
    progress: Progress,
    report: Report,
) -> Checkpoint:
    writing = tensorboard(logs / path.stem) if logs is not None and here.first else nullcontext()
    with writing as writer:
        return loop.train(config, path, data, here, resume=resume, progress=progress, report=report, logs=writer)


def _finished(
    checkpoints: Sequence[Checkpoint],
    out: Path,
    sources: Sources,
    folder: PhotoFolder | None,
    test_samples: int,
    here: World,
    progress: Progress,
) -> tuple[Checkpoint, Summary]:
    """Measure every seed on the test side, and publish the one that does best on validation."""
    if not here.first:
        return checkpoints[0], Summary()
    tests = {"test": held_out_photos("test", sources, folder, test_samples, progress=progress)}
    if folder is not None and sources.annotations is None:
        scenes = Sources()
        tests["painted scenes alone"] = held_out_photos("test", scenes, None, test_samples // 2, progress=progress)
    reached = summary(checkpoints, measured(checkpoints, tests, progress=progress), tests)
    best = max(checkpoints, key=lambda made: (float(str(made.metrics["quality_macro_f1"])), -checkpoints.index(made)))
    chosen, network = load_checkpoint(best.path)
    provenance = {**chosen.provenance, "seeds": reached.model_dump(mode="json")}
    published = save_checkpoint(network, chosen.spec, chosen.metrics, provenance, out, chosen.calibration)
    write_card(published, out.with_suffix(".md"), sources.photos)
    return published, reached

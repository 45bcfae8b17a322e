"""The training stage: photos in, a checkpoint and its model card out; several seeds, if wanted, and what they reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export import networks
from imageqx_export.artifact import Checkpoint
from imageqx_export.checkpoint import save_checkpoint
from imageqx_export.data.annotated import read_labelled, read_labels, read_labels_with_photos
from imageqx_export.data.bank import RATED, Bank, join, make_bank
from imageqx_export.data.folder import PhotoFolder, read_folder
from imageqx_export.data.labels import LabelledPhotos, Split
from imageqx_export.data.scenes import render_scenes
from imageqx_export.data.settings import USUAL, PhotoSettings, choose_settings
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.networks.base import Network
from imageqx_export.support.files import check_places
from imageqx_export.support.progress import Progress, silent
from imageqx_export.thresholds.criteria import Criterion
from imageqx_export.thresholds.stage import ThresholdsConfig, choose_for_network
from imageqx_export.training import loop
from imageqx_export.training.card import write_card
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.logs import open_tensorboard
from imageqx_export.training.loop import TrainingData
from imageqx_export.training.parallel import World, join_world
from imageqx_export.training.seeds import Summary, measure_runs, summarise
from imageqx_export.training.state import describe_stop, explain_failed_writes, read_stamps, state_path
from imageqx_export.training.targets import choose_targets
from imageqx_export.training.targets.base import Targets

Report = Callable[[int, float, dict[str, Any]], None]


@dataclass(frozen=True)
class TrainingRun:
    """A call of the training stage: how to train, on what, and where to.

    Args:
        config: How to train; its seed is the first.
        out: The checkpoint.
        sources: Where photos come from.
        seeds: How many seeds.
        criterion: How thresholds are chosen, on validation, after temperatures are fitted; None leaves both out.
        held_out_samples: How many samples to make for the choice of thresholds, and as many for the test, where
            there is no table.
        logs: A folder for TensorBoard's event files; None writes none.
        resume: Whether to go on from an earlier run's state.
    """

    config: TrainingConfig
    out: Path
    sources: Sources = field(default_factory=Sources)
    seeds: int = 1
    criterion: Criterion | None = None
    held_out_samples: int = 1000
    logs: Path | None = None
    resume: bool = True


def train(
    run: TrainingRun, *, progress: Progress = silent, report: Report = lambda epoch, loss, metrics: None
) -> tuple[Checkpoint, Summary]:
    """Train and write ``out``, its card ``<out's stem>.md``, and what every seed reaches on the test side.

    With several seeds, each has its own checkpoint ``<out's stem>.seed<n>.safetensors``; the one that does best on
    validation becomes ``out``.

    Args:
        run: What to do.
        progress: Opens bars.
        report: Called before the first epoch and after every one.

    Raises:
        DatasetError: The photos cannot be trained on.
        TrainingError: The run cannot go on; the last good state is kept.
        StoppedError: Ctrl-C; likewise.
        ImageQXError: A folder is where a file would be; before anything is read.
        OSError: What it writes cannot be written, which is found out first, too.
    """
    config, out, sources, seeds = run.config, run.out, run.sources, run.seeds
    settings = choose_settings(networks.spec(config.model))
    configs = [_choose_seed(config, seed) for seed in range(config.seed, config.seed + seeds)]
    paths = [out if seeds == 1 else seed_path(out, own.seed) for own in configs]
    states = [state_path(path) for path in paths]
    check_places(out, out.with_suffix(".md"), *paths, *states)
    for own in configs:
        loop.check_start(own)
    if sources.table is not None:
        choose_targets(config.model).refuse(read_labels(sources.table[0], val_share=settings.val_share), config)
    before = read_stamps(states)
    try:
        with join_world(config.batch_size) as here:
            shown = progress if here.first else silent
            folder = None if sources.photos is None else read_folder(sources.photos, settings=settings, progress=shown)
            checkpoints, trained = list[Checkpoint](), list[Network]()  # only the first process has networks
            held = HeldOutSide(sources, folder, settings, shown)
            validation = held.load("val", config.validation_samples)
            for own, path in zip(configs, paths, strict=True):
                data = gather_data(own, sources, folder, validation, settings=settings, progress=shown)
                checkpoint, network = _run(own, path, data, here, run.logs, run.resume, shown, report)
                checkpoints.append(checkpoint)
                trained += [] if network is None else [network]
            if run.criterion is not None and here.first:
                photos = held.load("val", run.held_out_samples)
                with explain_failed_writes(out.parent):
                    checkpoints = [
                        choose_for_network(
                            ThresholdsConfig(one.path, run.criterion), one, network, photos, progress=shown
                        )[0]
                        for one, network in zip(checkpoints, trained, strict=True)
                    ]
            return _publish_best(run, checkpoints, trained, held, here)
    except KeyboardInterrupt:
        where = states[0] if seeds == 1 else state_path(seed_path(out, "*"))
        raise describe_stop(states, where, before, resume=run.resume) from None


def _choose_seed(config: TrainingConfig, seed: int) -> TrainingConfig:
    """Return the configuration of one of several seeds, which may start from weights of its own."""
    return replace(config, seed=seed, initialisation=config.initialisation.replace("{seed}", str(seed)))


def seed_path(out: Path, seed: int | str) -> Path:
    """Return where one of several seeds' checkpoint lies.

    >>> seed_path(Path("models/imageqx.safetensors"), 3).name
    'imageqx.seed3.safetensors'
    """
    return out.with_name(f"{out.stem}.seed{seed}{out.suffix}")


@dataclass(frozen=True)
class HeldOutSide:
    """A loader of held-out sides, all of the same sources.

    Args:
        sources: Where photos come from.
        folder: ``sources.photos``, read.
        settings: What the network wants photos to be like.
        progress: Opens bars.
    """

    sources: Sources
    folder: PhotoFolder | None
    settings: PhotoSettings
    progress: Progress

    def load(self, split: Split, count: int) -> LabelledPhotos:
        """Return a side, of ``count`` samples where there is no table."""
        return load_held_out(
            split, self.sources, count, folder=self.folder, settings=self.settings, progress=self.progress
        )


def gather_data(
    config: TrainingConfig,
    sources: Sources,
    folder: PhotoFolder | None,
    validation: LabelledPhotos,
    *,
    settings: PhotoSettings = USUAL,
    progress: Progress = silent,
) -> TrainingData:
    """Gather the pictures that one run makes its samples from."""
    banks = [] if folder is None else [folder.side("train")]
    facts: dict[str, Any] = {"validation": validation.source, "synthetic_scenes": config.synthetic_scenes}
    if folder is not None:
        sides: dict[Split, dict[str, int]] = {side: folder.counts(side) for side in ("train", "val", "test")}
        facts["photos"] = {**sides, "skipped": folder.skipped, "gaps": list(folder.list_gaps())}
    if sources.table is not None:
        rated = _read_rated(*sources.table, config.soft_labels, settings, progress)
        facts["rated"] = {"photos": len(rated), "table": sources.table[0].name}
        banks.append(rated)
    banks.append(render_scenes(config.seed, config.synthetic_scenes, side=settings.side, progress=progress))
    return TrainingData(join(banks), validation, facts, settings)


def _read_rated(annotations: Path, images: Path, soft: bool, settings: PhotoSettings, progress: Progress) -> Bank:
    read = read_labelled(annotations, images, "train", settings=settings, progress=progress)
    shares = {label.image: label.shares for label in read_labels_with_photos(annotations, images)}
    labels = np.array([shares[name] for name in read.names], np.float32) if soft else read.quality
    return make_bank(read.pixels, labels, RATED, read.reasons, read.fitzpatrick, votes=read.votes)


def _run(
    config: TrainingConfig,
    path: Path,
    data: TrainingData,
    here: World,
    logs: Path | None,
    resume: bool,
    progress: Progress,
    report: Report,
) -> tuple[Checkpoint, Network | None]:
    opened = open_tensorboard(logs / path.stem) if logs is not None and here.first else nullcontext()
    with opened as writer:
        return loop.train(config, path, data, here, resume=resume, progress=progress, report=report, logs=writer)


def _publish_best(
    run: TrainingRun,
    checkpoints: Sequence[Checkpoint],
    trained: Sequence[Network],
    held: HeldOutSide,
    here: World,
) -> tuple[Checkpoint, Summary]:
    """Measure every seed on the test side, and publish the one that does best on validation."""
    if not here.first:
        return checkpoints[0], Summary()
    out, sources, targets = run.out, run.sources, choose_targets(run.config.model)
    tests = {"test": held.load("test", run.held_out_samples)}
    if held.folder is not None and sources.annotations is None:
        alone = replace(held, sources=Sources(), folder=None)
        tests["synthetic scenes alone"] = alone.load("test", run.held_out_samples // 2)
    scores = measure_runs(checkpoints, trained, tests, targets, progress=held.progress)
    reached = summarise(checkpoints, scores, tests, targets)
    best = max(checkpoints, key=lambda made: (_make_headline(made, targets), -checkpoints.index(made)))
    network = trained[checkpoints.index(best)]
    provenance = {**best.provenance, "seeds": reached.model_dump(mode="json")}
    with explain_failed_writes(out.parent):
        published = save_checkpoint(network, best.spec, best.metrics, provenance, out, best.temperatures)
        write_card(published, out.with_suffix(".md"), sources.photos)
    return published, reached


def _make_headline(made: Checkpoint, targets: Targets) -> float:
    value = made.metrics[targets.HEADLINE]
    return float("-inf") if value is None else float(str(value))

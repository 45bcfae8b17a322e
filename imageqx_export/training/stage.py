"""The training stage: folders in, a checkpoint and its model card out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from imageqx_export.artifact import Checkpoint
from imageqx_export.data.folder import PhotoFolder, count_files, read_folder
from imageqx_export.progress import Progress, silent
from imageqx_export.training import loop
from imageqx_export.training.card import write_card
from imageqx_export.training.loop import TrainingConfig


def train(
    config: TrainingConfig,
    out: Path,
    photos: Path | None = None,
    *,
    resume: bool = True,
    progress: Progress = silent,
    report: Callable[[int, float, dict[str, Any]], None] = lambda epoch, loss, metrics: None,
) -> Checkpoint:
    """Train on painted photos and on a folder's, and write ``out`` and the card ``<out's stem>.md`` beside it.

    Args:
        config: How to train.
        out: The checkpoint.
        photos: A folder with ``lesion``, ``healthy_skin`` and ``no_skin``, or None.
        resume: Whether to go on from an earlier run's state.
        progress: Opens bars.
        report: Called after every epoch.

    Raises:
        DatasetError: The folder cannot be trained on.
        TrainingError: The run cannot go on; the last good state is kept.
    """
    train_photos, val_photos = _read(photos, progress) if photos is not None else (None, None)
    checkpoint = loop.train(config, out, train_photos, val_photos, resume=resume, progress=progress, report=report)
    write_card(checkpoint, out.with_suffix(".md"), photos)
    return checkpoint


def _read(photos: Path, progress: Progress) -> tuple[PhotoFolder, PhotoFolder]:
    with progress("reading photos", 2 * count_files(photos)) as advance:
        return read_folder(photos, "train", advance), read_folder(photos, "val", advance)

"""Find the photos to evaluate on: a rated table's, a folder's held-out ones, or painted scenes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.data.labels import LabelledPhotos, Split
from imageqx_export.errors import DatasetError, UnknownNameError
from imageqx_export.evaluation.raters import agreement_of
from imageqx_export.progress import Progress, silent

if TYPE_CHECKING:
    from imageqx_export.training.agreement import Agreement

_SPLITS: tuple[Split, ...] = ("test", "val")


@dataclass(frozen=True)
class Source:
    """Hold where labelled photos shall come from.

    Args:
        split: Whose photos.
        table: A table of ratings or labels and the folder of its photos, or None.
        photos: A folder of photos to spoil in known ways, or None; without either, painted scenes are.
        samples: How many spoilt samples to make, ≥ 1; of a table all photos are taken.
    """

    split: Split
    table: tuple[Path, Path] | None
    photos: Path | None
    samples: int


def source(annotations: Path | None, images: Path | None, photos: Path | None, split: str, samples: int) -> Source:
    """Check that the options of a source go together, before anything slow begins.

    Raises:
        UnknownNameError: There is no such split to evaluate on.
        DatasetError: The options do not go together.
    """
    side = next((name for name in _SPLITS if name == split), None)
    if side is None:
        raise UnknownNameError("split to evaluate on", split, _SPLITS)
    if (annotations is None) != (images is None):
        raise DatasetError("a table and its photos go together", expected="both --annotations and --images")
    if annotations is None or images is None:
        return Source(side, None, photos, samples)
    if photos is not None:
        raise DatasetError("two sources of photos", expected="--annotations with --images, or --photos", got="both")
    return Source(side, (annotations, images), None, samples)


def labelled(wanted: Source, *, progress: Progress = silent) -> tuple[LabelledPhotos, Agreement | None]:
    """Read or make labelled photos that no training has seen.

    Args:
        wanted: Where they shall come from.
        progress: Opens bars.

    Returns:
        The photos, and how well their raters agree; None for fewer than two raters, or no table.

    Raises:
        DatasetError: The photos cannot be used.
    """
    from imageqx_export.data.annotated import read_labelled
    from imageqx_export.data.held_out import held_out

    if wanted.table is None:
        return held_out(wanted.samples, wanted.split, wanted.photos, progress=progress), None
    annotations, images = wanted.table
    return read_labelled(annotations, images, wanted.split, progress=progress), agreement_of(annotations, wanted.split)

"""Where photos come from, and one held-out side of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.data.labels import LabelledPhotos, Split
from imageqx_export.errors import DatasetError
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from imageqx_export.data.folder import PhotoFolder
    from imageqx_export.data.settings import PhotoSettings


@dataclass(frozen=True)
class Sources:
    """The places that photos come from; with nothing, synthetic scenes are all there is.

    Args:
        photos: A folder with ``lesion``, ``healthy_skin`` and ``no_skin``, which are degraded on purpose.
        annotations: A table of ratings, or of fused labels.
        images: The folder of the table's photos.

    Raises:
        DatasetError: A table without its photos, or photos without their table.
    """

    photos: Path | None = None
    annotations: Path | None = None
    images: Path | None = None

    def __post_init__(self) -> None:
        if (self.annotations is None) != (self.images is None):
            raise DatasetError("a table and its photos go together", expected="both --annotations and --images")

    @property
    def table(self) -> tuple[Path, Path] | None:
        """The table and the folder of its photos, or None."""
        return None if self.annotations is None or self.images is None else (self.annotations, self.images)

    def single(self) -> Sources:
        """Return these if they are one source, which a measurement needs.

        Raises:
            DatasetError: They are two.
        """
        if self.table is not None and self.photos is not None:
            raise DatasetError("two sources of photos", expected="--annotations with --images, or --photos", got="both")
        return self


def load_held_out(
    split: Split,
    sources: Sources,
    count: int,
    *,
    folder: PhotoFolder | None = None,
    settings: PhotoSettings | None = None,
    progress: Progress = silent,
) -> LabelledPhotos:
    """Return one held-out side: of the table, if there is one, and samples of photos and synthetic scenes otherwise.

    Args:
        split: Which side.
        sources: Where from.
        count: How many samples to make; of a table all photos are taken.
        folder: ``sources.photos``, where it has been read already, with the same settings.
        settings: What the network wants photos to be like; None for the usual.
        progress: Opens bars.

    Returns:
        Of a network that has fewer of the raters' reasons, or has them in another order, those columns.

    Raises:
        DatasetError: The photos cannot be used.
        ArtifactError: Raters are not asked for the network's labels or reasons.
    """
    from imageqx_export.data.settings import USUAL
    from imageqx_export.data.vocabulary import choose_reasons

    settings = settings or USUAL
    select = choose_reasons(settings.labels, settings.reasons)  # before the photos, which take longer
    found = _load(split, sources, count, folder, settings, progress)
    return found if select is None else replace(found, reasons=found.reasons[:, select])


def _load(
    split: Split,
    sources: Sources,
    count: int,
    folder: PhotoFolder | None,
    settings: PhotoSettings,
    progress: Progress,
) -> LabelledPhotos:
    from imageqx_export.data.annotated import read_labelled
    from imageqx_export.data.folder import read_folder
    from imageqx_export.data.held_out import draw_samples, make_held_out_bank
    from imageqx_export.data.photos import describe_left_out

    if sources.table is not None:
        return read_labelled(*sources.table, split, settings=settings, progress=progress)
    if folder is None and sources.photos is not None:
        folder = read_folder(sources.photos, settings=settings, progress=progress)
    bank = make_held_out_bank(split, folder, side=settings.side, progress=progress)
    samples = draw_samples(bank, count, split, folder is not None, settings=settings, progress=progress)
    passed_over = describe_left_out({} if folder is None else folder.skipped)
    return replace(samples, source=samples.source + passed_over)

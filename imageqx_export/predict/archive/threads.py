"""The engine of one machine: threads of this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

from imageqx_export.predict.addresses import parse_photo
from imageqx_export.predict.archive.rows import Rows, collect_rows
from imageqx_export.predict.archive.stage import Block, OpenModel
from imageqx_export.predict.batch import assess_photos
from imageqx_export.runtimes import load_photo_model


def assess_in_threads(blocks: Sequence[Block], model: OpenModel) -> Iterator[tuple[Block, Rows]]:
    """Assess blocks on all cores of this machine, in their order; see :data:`~.stage.Engine`.

    Raises:
        ArtifactError: The model cannot be run.
    """
    photos = [parse_photo(name) for block in blocks for name in block.photos]
    rows = assess_photos(photos, model.runtime, model.spec, open_another=partial(load_photo_model, model.artifact))
    for block in blocks:
        yield block, collect_rows(islice(rows, len(block.photos)), model.spec)

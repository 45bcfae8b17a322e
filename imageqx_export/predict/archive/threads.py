"""The engine of one machine: threads of this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

from imageqx_export.predict.addresses import parse_photo
from imageqx_export.predict.archive.rows import Rows, collect_rows
from imageqx_export.predict.archive.stage import Block, Judge
from imageqx_export.predict.batch import judge_photos
from imageqx_export.runtimes import load_judge


def judge_in_threads(blocks: Sequence[Block], judge: Judge) -> Iterator[tuple[Block, Rows]]:
    """Judge blocks on all cores of this machine, in their order; see :data:`~.stage.Engine`.

    Raises:
        ArtifactError: The model cannot be run.
    """
    open_model = partial(load_judge, judge.artifact)
    photos = [parse_photo(name) for block in blocks for name in block.photos]
    rows = judge_photos(photos, open_model(), judge.spec, open_another=open_model)
    for block in blocks:
        yield block, collect_rows(islice(rows, len(block.photos)), judge.spec)

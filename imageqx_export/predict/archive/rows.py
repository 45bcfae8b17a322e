"""The rows of a block: what a worker hands over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from imageqx_export.artifact import ModelSpec
from imageqx_export.errors import FetchError
from imageqx_export.predict.addresses import show_place
from imageqx_export.predict.archive.table import encode_records
from imageqx_export.predict.batch import Assessment
from imageqx_export.predict.records import make_record


@dataclass(frozen=True)
class Rows:
    """What became of the photos of a block.

    Args:
        table: A Parquet file with a row a photo.
        unfetched: The photos that could not be fetched, as a message names them. Their rows are not the last word.
        reason: Why, of the first of them.
    """

    table: bytes
    unfetched: tuple[str, ...] = ()
    reason: str | None = None


def collect_rows(assessments: Iterable[Assessment], spec: ModelSpec) -> Rows:
    """Return what became of a block's photos, in their order.

    Args:
        assessments: Of each photo.
        spec: The model's.
    """
    rows = list(assessments)
    failed = [(show_place(row.photo), row.result) for row in rows if isinstance(row.result, FetchError)]
    reason = failed[0][1].got if failed else None
    return Rows(encode_records(map(make_record, rows), spec), tuple(name for name, _ in failed), reason)

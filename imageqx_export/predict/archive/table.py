"""A table of verdicts in Parquet: a row a photo, of the same names as a line of ``predict --json``."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imageqx_export.artifact import ModelSpec
from imageqx_export.decisions import GOOD, POOR
from imageqx_export.predict.records import ERROR_FIELDS

if TYPE_CHECKING:
    import pyarrow as pa


def make_schema(spec: ModelSpec) -> pa.Schema:
    """Return a table's columns.

    ``photo``; ``label``, ``retake``, ``probabilities`` (a field a label), ``reasons`` (the worst first), ``hints`` and
    ``pictures`` of a verdict; or ``error`` of a photo that could not be read. What a row does not have is null.

    Args:
        spec: Names the labels.
    """
    import pyarrow as pa

    labels = spec.labels if spec.binary is None else (GOOD, POOR)
    reason = pa.struct(
        [("name", pa.string()), ("probability", pa.float64()), ("given", pa.bool_()), ("hint", pa.string())]
    )
    return pa.schema(
        [
            pa.field("photo", pa.string(), nullable=False),
            ("label", pa.string()),
            ("retake", pa.bool_()),
            ("probabilities", pa.struct([(label, pa.float64()) for label in labels])),
            ("reasons", pa.list_(reason)),
            ("hints", pa.list_(pa.string())),
            ("pictures", pa.int32()),
            ("error", pa.struct([(name, pa.string()) for name in ERROR_FIELDS])),
        ]
    )


def encode_records(records: Iterable[Mapping[str, Any]], spec: ModelSpec) -> bytes:
    """Return records as a Parquet file.

    Args:
        records: As of :func:`~imageqx_export.predict.records.make_record`.
        spec: The model's.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: Sequence[Mapping[str, Any]] = [_replace_bytes(record) for record in records]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=make_schema(spec)), file)
    return file.getvalue()


def _replace_bytes(value: Any) -> Any:
    r"""Return a record whose text is UTF-8: a byte of a file's name that is not becomes ``\udcff``, as printed."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {name: _replace_bytes(part) for name, part in value.items()}
    return [_replace_bytes(part) for part in value] if isinstance(value, list) else value

"""What a record has of the very same bytes in the same place: it is not asked again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from imageqx_export.artifact import Format
from imageqx_export.bundle.runtimes import RuntimeRow, RuntimeTable
from imageqx_export.compat.stage import Subject
from imageqx_export.compat.versions.model import RuntimeResult
from imageqx_export.compat.versions.places import Place

FINAL = ("right", "read", "wrong", "refused")
"""The verdicts that a second run would give again; a file that broke off or hung may have met a busy machine."""


class Asked(Protocol):
    """One file in one place."""

    @property
    def place(self) -> Place:
        """Where."""

    @property
    def subject(self) -> Subject:
        """The file."""


def recall_rows(questions: Sequence[Asked], table: RuntimeTable | None) -> list[RuntimeResult | None]:
    """Return what is recorded of each question; None where it is to be asked.

    A reader of packages is held to the newest reader, so that the readers of a file are asked together, or none.

    Args:
        questions: Files, each in its place.
        table: The record, of as many pictures; None for none.
    """
    rows = {} if table is None else {_name(row): row for row in table.rows}
    found: list[RuntimeResult | None] = []
    for question in questions:
        place = question.place
        row = rows.get((question.subject.sha256, (place.runtime, place.version, place.variant, place.machine)))
        keeps = row is not None and row.verdict in FINAL and row.artifact == question.subject.name
        found.append(RuntimeResult(**row.model_dump(), recorded=True) if row is not None and keeps else None)
    unread = {
        question.subject.name
        for question, row in zip(questions, found, strict=True)
        if row is None and question.subject.format is Format.COREML
    }
    return [None if row is not None and row.artifact in unread else row for row in found]


def _name(row: RuntimeRow) -> tuple[str, tuple[str, str, str, str]]:
    return row.sha256, row.place

"""Where an artifact's bytes are, by section and tensor, and where a change of its size comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pydantic import Field, model_validator

from imageqx_export.errors import ArtifactError
from imageqx_export.support.frozen import Frozen


class Part(Frozen):
    """The bytes of one thing in a file.

    Args:
        section: ``"weights"``, ``"graph"``, ``"metadata"``, ``"structure"`` or ``"file"``.
        name: The tensor's, the operation's or the key's name.
        bytes: As stored in the file, padding left out (it is in ``structure``).
    """

    section: str
    name: str
    bytes: int = Field(ge=0)


class Sizes(Frozen):
    """The places of all bytes of an artifact: the parts sum up to its size exactly.

    Args:
        artifact: The file's name.
        total: Its bytes; of a folder, those of all its files.
        parts: Each (section, name) once.
    """

    artifact: str
    total: int = Field(ge=0)
    parts: tuple[Part, ...]

    @model_validator(mode="after")
    def _check_sum(self) -> Sizes:
        found = sum(part.bytes for part in self.parts)
        if found != self.total:
            raise ValueError(f"the parts of {self.artifact} are {found} bytes, the file has {self.total}")
        if len({(part.section, part.name) for part in self.parts}) != len(self.parts):
            raise ValueError(f"each part of {self.artifact} once")
        return self

    @property
    def sections(self) -> dict[str, int]:
        """Bytes per section, in order of appearance."""
        totals: Counter[str] = Counter()
        for part in self.parts:
            totals[part.section] += part.bytes
        return dict(totals)


class SizeChange(Frozen):
    """One part whose bytes differ.

    Args:
        section: As in :class:`Part`.
        name: Likewise.
        before: Bytes, or None where the part is new.
        after: Bytes, or None where it is gone.
    """

    section: str
    name: str
    before: int | None
    after: int | None

    @property
    def change(self) -> int:
        """Bytes more (or fewer, below 0)."""
        return (self.after or 0) - (self.before or 0)


def sum_parts(artifact: str, total: int, found: Iterable[Part]) -> Sizes:
    """Sum parts of one name, and put the bytes that belong to none into ``structure``.

    Args:
        artifact: The file's name.
        total: Its bytes.
        found: Parts whose bytes do not overlap.

    Raises:
        ArtifactError: The parts are more than the whole.

    >>> sizes = sum_parts("a.onnx", 10, [Part(section="weights", name="w", bytes=3)] * 2)
    >>> [(part.name, part.bytes) for part in sizes.parts]
    [('w', 6), ('everything between', 4)]
    """
    counts: Counter[tuple[str, str]] = Counter()
    for part in found:
        counts[part.section, part.name] += part.bytes
    rest = total - sum(counts.values())
    if rest < 0:
        raise ArtifactError(
            "the file's parts are more than the file",
            where=artifact,
            expected=f"at most {total} bytes",
            got=f"{total - rest}",
            remedy="imageqx export",
        )
    counts["structure", "everything between"] += rest
    parts = tuple(Part(section=section, name=name, bytes=n) for (section, name), n in counts.items())
    return Sizes(artifact=artifact, total=total, parts=parts)


def compare_sizes(before: Sizes, after: Sizes) -> tuple[SizeChange, ...]:
    """List every part whose bytes differ, the largest change first; the changes sum up to the files' difference."""
    old = {(part.section, part.name): part.bytes for part in before.parts}
    new = {(part.section, part.name): part.bytes for part in after.parts}
    changes = [
        SizeChange(section=key[0], name=key[1], before=old.get(key), after=new.get(key))
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]
    return tuple(sorted(changes, key=lambda row: (-abs(row.change), row.section, row.name)))

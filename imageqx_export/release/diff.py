"""What changes for an app between two releases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from imageqx_export.release.client import Source, open_releases
from imageqx_export.release.model import Release
from imageqx_export.release.names import Wanted
from imageqx_export.release.pull import read_release
from imageqx_export.support.frozen import Frozen

BREAKING = ("inputs", "outputs", "preprocessing", "labels", "reasons", "schema_version", "name")
"""Parts of the ModelSpec whose change breaks an app that was written for the older release."""
_BREAKING_BELOW = ("binary.output", "binary.ranks", "binary.regions")
_HARMLESS_ENDS = (".meaning",)
_LONGEST = 120


class Difference(Frozen):
    """One thing that differs.

    Attributes:
        kind: ``"breaks"`` an app; ``"spec"``, a change of the ModelSpec that an app reads anyway; ``"file"``,
            ``"size"``, ``"score"``, ``"latency"`` or ``"minimum"``.
        what: The file, score or part of the spec.
        old: As it was; None where it is new.
        new: As it is; None where it is gone.
    """

    kind: Literal["breaks", "spec", "file", "size", "score", "latency", "minimum"]
    what: str
    old: str | float | None
    new: str | float | None


class Comparison(Frozen):
    """Two releases of a model, compared.

    Attributes:
        model: The model's name.
        old: The older version.
        new: The newer one.
        rows: What differs.
    """

    model: str
    old: str
    new: str
    rows: tuple[Difference, ...]

    @property
    def breaks(self) -> tuple[Difference, ...]:
        """What would break an app."""
        return tuple(row for row in self.rows if row.kind == "breaks")


def compare_releases(model: str, old: str, new: str, source: Source) -> Comparison:
    """Compare two releases of a tree.

    Args:
        model: The model's name.
        old: A version or a channel.
        new: Likewise.
        source: Where releases come from.

    Raises:
        ReleaseError: There is no such release, or the server is not to be trusted.
    """
    with open_releases(source) as releases:
        before, after = (read_release(releases, Wanted(model, version)) for version in (old, new))
    return Comparison(model=model, old=before.version, new=after.version, rows=tuple(find_differences(before, after)))


def find_differences(old: Release, new: Release) -> Iterator[Difference]:
    """Yield what differs between two releases: what breaks an app first."""
    spec = sorted(_compare(old.spec, new.spec, ""), key=lambda row: (row.kind != "breaks", row.what))
    yield from spec
    before, after = ({one.name: one for one in release.artifacts} for release in (old, new))
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            gone = name not in after
            yield Difference(
                kind="breaks" if gone else "file",
                what=name,
                old=_describe_presence(gone),
                new=_describe_presence(not gone),
            )
            continue
        one, other = before[name], after[name]
        if one.size_bytes != other.size_bytes:
            yield Difference(kind="size", what=name, old=one.size_bytes, new=other.size_bytes)
        for part in sorted({*one.minimum, *other.minimum}):
            was, now = one.minimum.get(part), other.minimum.get(part)
            if was != now:
                yield Difference(kind="minimum", what=f"{name}: {part}", old=was, new=now)
        for part in sorted({*one.milliseconds, *other.milliseconds}):
            yield from _compare_cells(
                "latency", f"{name}: {part}", one.milliseconds.get(part), other.milliseconds.get(part)
            )
    for part in sorted({*old.scores, *new.scores}):
        yield from _compare_cells("score", part, old.scores.get(part), new.scores.get(part))


def _compare_cells(
    kind: Literal["latency", "score"], what: str, old: float | None, new: float | None
) -> Iterator[Difference]:
    if old != new:
        yield Difference(kind=kind, what=what, old=old, new=new)


def _compare(old: Any, new: Any, place: str) -> Iterator[Difference]:
    """Yield the deepest places at which two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _compare(old.get(name), new.get(name), f"{place}.{name}" if place else name)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and _has_dicts(old):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _compare(one, other, f"{place}[{index}]")
    elif old != new:
        breaks = _shorten_place(place) in BREAKING or place.startswith(_BREAKING_BELOW)
        kind: Literal["breaks", "spec"] = "breaks" if breaks and not place.endswith(_HARMLESS_ENDS) else "spec"
        yield Difference(kind=kind, what=place, old=_shorten(old), new=_shorten(new))


def _has_dicts(values: list[Any]) -> bool:
    return any(isinstance(value, dict) for value in values)


def _shorten_place(place: str) -> str:
    return place.split(".")[0].split("[")[0]


def _describe_presence(yes: bool) -> str | None:
    return "there" if yes else None


def _shorten(value: Any) -> str | float | None:
    if value is None or isinstance(value, str | float):
        return value
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

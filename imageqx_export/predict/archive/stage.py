"""The stage: photos in, one table of verdicts out, by an engine; what an earlier run kept is not judged again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from imageqx_export import __version__
from imageqx_export.artifact import ModelSpec
from imageqx_export.errors import DatasetError
from imageqx_export.predict.addresses import is_address
from imageqx_export.predict.archive.parts import join_parts, open_output
from imageqx_export.predict.archive.rows import Rows
from imageqx_export.support.files import digest
from imageqx_export.support.libraries import require
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    import pyarrow as pa

SIZES: Final = (4, 16, 64, 256)
"""Photos a block may have. Few sizes, so that an archive that grows at its end keeps the blocks before."""

_BLOCKS: Final = 64  # at least, where there are photos enough, so that every worker has some
_NAMED = 5


@dataclass(frozen=True)
class Judge:
    """What judges.

    Args:
        artifact: The model's file.
        sha256: Its digest.
        spec: What to decide with: the model's own, or with other thresholds.
    """

    artifact: Path
    sha256: str
    spec: ModelSpec

    @classmethod
    def of_file(cls, artifact: Path, spec: ModelSpec) -> Judge:
        """Return the judge of a file as it is now."""
        return cls(artifact, digest(artifact), spec)


@dataclass(frozen=True)
class Block:
    """Photos whose rows are kept together.

    Args:
        name: Its part's file: a digest of the photos' names, of what is there now, and of all else that says what their
            rows are.
        photos: Files and addresses.
    """

    name: str
    photos: tuple[str, ...]


Engine: TypeAlias = Callable[[Sequence[Block], Judge], Iterator[tuple[Block, Rows]]]
"""Judges blocks, and yields each with its rows, in any order, as it is done."""


@dataclass
class Summary:
    """What a table holds.

    Args:
        out: Where it is.
        photos: Its rows.
        retake: Photos to take again.
        unreadable: Photos without a verdict.
        kept: Rows that an earlier run had kept.
        named: The first few that are unreadable.
    """

    out: str
    photos: int = 0
    retake: int = 0
    unreadable: int = 0
    kept: int = 0
    named: list[str] = field(default_factory=list)

    def count(self, part: pa.Table) -> None:
        """Count a part's rows."""
        names, errors = part["photo"].to_pylist(), part["error"].is_valid().to_pylist()
        bad = [name for name, error in zip(names, errors, strict=True) if error]
        self.photos += len(names)
        self.retake += part["retake"].to_pylist().count(True)
        self.unreadable += len(bad)
        self.named += bad[: _NAMED - len(self.named)]


def judge_archive(
    photos: Sequence[Path | str], judge: Judge, out: str, engine: Engine, *, progress: Progress = silent
) -> Summary:
    """Judge photos into a table of a row each, in their order.

    Each block's rows are kept in the folder ``<out>.parts`` as they come. A run that was stopped goes on from there: a
    block of the same photos, judged by the same model and thresholds and the same version of this package, is not
    judged again; the same are files of the same path, size and time of change, and equal addresses. At the end the
    table takes its place in one step, and its parts are deleted; those of other runs stay.

    A block with a photo that could not be fetched is not kept, and as long as there is one no table is written.

    Args:
        photos: Files, and addresses as text.
        judge: What judges.
        out: A path or an address that ends in ``.parquet``.
        engine: :func:`~imageqx_export.predict.archive.threads.judge_in_threads`, or of
            :func:`~imageqx_export.predict.archive.cluster.connect_ray`.
        progress: Opens a bar over the photos that are left to judge.

    Raises:
        UnavailableError: pyarrow is not installed.
        DatasetError: The place cannot be used, or photos could not be fetched; what is done is kept.
        ArtifactError: The model cannot be run; what is done is kept.
    """
    require("pyarrow")
    place, blocks = open_output(out), cut_blocks(photos, judge)
    done = place.list_parts()
    left = [block for block in blocks if block.name not in done]
    judged, failed = sum(len(block.photos) for block in left), _Unfetched()
    with progress("judging photos", judged) as advance:
        for block, rows in engine(left, judge) if left else ():
            if rows.unfetched:
                failed.add(rows)
            else:
                place.write_part(block.name, rows.table)
            for _ in block.photos:
                advance()
    failed.refuse(len(photos))
    summary = Summary(out, kept=len(photos) - judged)
    join_parts(place, [block.name for block in blocks], summary.count)
    return summary


@dataclass
class _Unfetched:
    """The photos that could not be fetched: how many, the first few, and why the first could not."""

    count: int = 0
    named: list[str] = field(default_factory=list)
    reason: str | None = None

    def add(self, rows: Rows) -> None:
        """Count those of a block."""
        self.count += len(rows.unfetched)
        self.named += rows.unfetched[: _NAMED - len(self.named)]
        self.reason = self.reason or rows.reason

    def refuse(self, photos: int) -> None:
        """Raise DatasetError if there are any."""
        if self.count:
            raise DatasetError(
                f"{self.count:,} of {photos:,} photos could not be fetched, so that there is no table yet",
                where=", ".join(self.named) + (", …" if self.count > len(self.named) else ""),
                got=self.reason,
                remedy="the same command, which goes on from there: the other blocks of rows are kept",
            )


def cut_blocks(photos: Sequence[Path | str], judge: Judge) -> list[Block]:
    """Cut photos into blocks, in their order."""
    size = max([SIZES[0], *(size for size in SIZES if size * _BLOCKS <= len(photos))])
    said = [__version__, judge.sha256, judge.spec.model_dump(mode="json")]
    same = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    blocks = []
    for start in range(0, len(photos), size):
        names = tuple(map(str, photos[start : start + size]))
        whole = same.copy()
        whole.update(json.dumps([names, [_describe_file(name) for name in names]]).encode())
        blocks.append(Block(f"{whole.hexdigest()}.parquet", names))
    return blocks


def _describe_file(name: str) -> Sequence[str | int] | None:
    """Return a local file's absolute path, bytes and time of change in ns, without the latter where none is there.

    None stands for an address, whose own text is all that is known of it.
    """
    if is_address(name):
        return None
    path = Path(name).absolute()
    try:
        state = path.stat()
    except (OSError, ValueError):  # it is not there, or no file can have that name
        return [str(path)]
    return [str(path), state.st_size, state.st_mtime_ns]

"""The stage: photos in, one table of verdicts out, by an engine; what an earlier run kept is not assessed again."""

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
from imageqx_export.predict.addresses import is_address, show_place
from imageqx_export.predict.archive.parts import Place, join_parts, open_output
from imageqx_export.predict.archive.rows import Rows
from imageqx_export.predict.records import FirstNames
from imageqx_export.runtimes import load_photo_model
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.files import digest
from imageqx_export.support.libraries import require
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    import pyarrow as pa

SIZES: Final = (4, 16, 64, 256)
"""Photos a block may have. Few sizes, so that an archive that grows at its end keeps the blocks before."""

_TRIES: Final = 3  # another run of the same command deletes the parts when it is done
_BLOCKS: Final = 64  # at least, where there are photos enough, so that every worker has some


@dataclass(frozen=True)
class OpenModel:
    """A model that is open in this process.

    Args:
        artifact: Its file.
        sha256: The file's digest.
        runtime: What runs it here; an engine of several machines opens the file on each of them.
        spec: What to decide with: the model's own, or with other thresholds.
    """

    artifact: Path
    sha256: str
    runtime: Runtime
    spec: ModelSpec


def open_model(artifact: Path) -> OpenModel:
    """Open a model's file, which decides with its own thresholds.

    Raises:
        ArtifactError: As :func:`~imageqx_export.runtimes.load_photo_model`.
    """
    runtime = load_photo_model(artifact)
    return OpenModel(artifact, digest(artifact), runtime, runtime.spec)


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


Engine: TypeAlias = Callable[[Sequence[Block], OpenModel], Iterator[tuple[Block, Rows]]]
"""Assesses blocks, and yields each with its rows, in any order, as it is done."""


@dataclass
class Summary:
    """What a table holds.

    Args:
        out: Where it is.
        photos: Its rows.
        retake: Photos to take again.
        unreadable: Photos without a verdict, the first few by name.
        kept: Rows that an earlier run had kept.
    """

    out: str
    photos: int = 0
    retake: int = 0
    unreadable: FirstNames = field(default_factory=FirstNames)
    kept: int = 0

    def count(self, part: pa.Table) -> None:
        """Count a part's rows."""
        names, errors = part["photo"].to_pylist(), part["error"].is_valid().to_pylist()
        self.photos += len(names)
        self.retake += part["retake"].to_pylist().count(True)
        self.unreadable.add([name for name, error in zip(names, errors, strict=True) if error])


def assess_archive(
    photos: Sequence[Path | str], model: OpenModel, out: str, engine: Engine, *, progress: Progress = silent
) -> Summary:
    """Assess photos into a table of a row each, in their order.

    Each block's rows are kept in the folder ``<out>.parts`` as they come. A run that was stopped goes on from there: a
    block of the same photos, assessed by the same model and thresholds and the same version of this package, is not
    assessed again; the same are files of the same path, size and time of change, and equal addresses. At the end the
    table takes its place in one step, and its parts are deleted; those of other runs stay.

    A block with a photo that could not be fetched is not kept, and as long as there is one no table is written.

    Args:
        photos: Files, and addresses as text.
        model: What assesses.
        out: A path or an address that ends in ``.parquet``.
        engine: :func:`~imageqx_export.predict.archive.threads.assess_in_threads`, or of
            :func:`~imageqx_export.predict.archive.cluster.connect_ray`.
        progress: Opens a bar over the photos that are left to assess.

    Raises:
        UnavailableError: pyarrow is not installed.
        DatasetError: The place cannot be used, or photos could not be fetched; what is done is kept.
        ArtifactError: The model cannot be run; what is done is kept.
    """
    require("pyarrow")
    place, blocks = open_output(out), cut_blocks(photos, model)
    assessed: set[Block] = set()
    for _ in range(_TRIES):
        assessed.update(_assess_missing(blocks, model, place, engine, progress))
        summary = Summary(out, kept=sum(len(block.photos) for block in blocks if block not in assessed))
        if join_parts(place, [block.name for block in blocks], summary.count):
            return summary
    raise DatasetError(
        "parts of the table vanish as they are written",
        where=show_place(out),
        got="another run of the same command, or another program that deletes there",
        remedy="the same command, once nothing else writes there",
    )


def _assess_missing(
    blocks: Sequence[Block], model: OpenModel, place: Place, engine: Engine, progress: Progress
) -> Sequence[Block]:
    """Assess the blocks that have no part yet, and write theirs; return these blocks."""
    done = place.list_parts()
    left = [block for block in blocks if block.name not in done]
    failed = _Unfetched()
    with progress("assessing photos", sum(len(block.photos) for block in left)) as advance:
        for block, rows in engine(left, model) if left else ():
            if rows.unfetched:
                failed.add(rows)
            else:
                place.write_part(block.name, rows.table)
            for _ in block.photos:
                advance()
    failed.refuse(sum(len(block.photos) for block in blocks))
    return left


@dataclass
class _Unfetched:
    """The photos that could not be fetched, and why the first could not."""

    photos: FirstNames = field(default_factory=FirstNames)
    reason: str | None = None

    def add(self, rows: Rows) -> None:
        """Count those of a block."""
        self.photos.add(rows.unfetched)
        self.reason = self.reason or rows.reason

    def refuse(self, photos: int) -> None:
        """Raise DatasetError if there are any."""
        if self.photos.count:
            raise DatasetError(
                f"{self.photos.count:,} of {photos:,} photos could not be fetched, so that there is no table yet",
                where=self.photos.join(),
                got=self.reason,
                remedy="the same command, which goes on from there: the other blocks of rows are kept",
            )


def cut_blocks(photos: Sequence[Path | str], model: OpenModel) -> list[Block]:
    """Cut photos into blocks, in their order."""
    size = max([SIZES[0], *(size for size in SIZES if size * _BLOCKS <= len(photos))])
    facts = [__version__, model.sha256, model.spec.model_dump(mode="json")]
    same = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
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

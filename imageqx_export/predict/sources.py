"""What a person names, made a list of photos: files, folders, patterns, and names on standard input."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from imageqx_export.data.photos import find_reason, list_photos
from imageqx_export.errors import DatasetError
from imageqx_export.predict.addresses import is_address, list_addresses, show_place

STANDARD_INPUT = "-"


class GatheredPhotos(NamedTuple):
    """The photos that sources name, and what else is there.

    Args:
        photos: Files, and addresses as text.
        left_out: Per reason, how many files were passed over; in the order of the reasons' names.
    """

    photos: tuple[Path | str, ...]
    left_out: dict[str, int]


def gather_photos(sources: Sequence[str], read_input: Callable[[], bytes] = lambda: b"") -> GatheredPhotos:
    """Return the photos that ``sources`` name, in their order.

    Args:
        sources: Each a file, which counts whatever its name is, and even if it is not there; a folder, of which the
            photos at any depth count; a pattern that is no file's name, with ``*``, ``?``, ``[…]`` or ``**``; any of
            these at an address such as ``s3://bucket/photos``; or ``-`` for names of files and folders on standard
            input, one a line or, as ``find -print0`` writes them, each with a zero byte after it.
        read_input: Reads standard input to its end.

    Returns:
        The photos, of a folder or a pattern sorted by name, and why other files there were passed over.

    Raises:
        DatasetError: There is not one.
    """
    photos: list[Path | str] = []
    left_out = Counter[str]()
    for source in sources:
        names = _split_names(read_input()) if source == STANDARD_INPUT else _expand(source)
        for name, by_name in names:
            path = Path(name)
            if is_address(name):
                addresses, passed_over = list_addresses(name)
                photos += addresses
                left_out.update(passed_over)
            elif os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises where a name is too long
                found = list_photos(path)
                photos += found.photos
                left_out.update(found.left_out)
            elif by_name and (reason := find_reason(Path(path.name))) is not None:
                left_out[reason] += 1
            else:
                photos.append(path)
    if not photos:
        raise DatasetError(
            "no photo",
            where=", ".join("standard input" if source == STANDARD_INPUT else show_place(source) for source in sources),
            expected="photos, folders of them, patterns, addresses, or - for names on standard input",
            got=", ".join(f"{reason}: {count}" for reason, count in sorted(left_out.items())) or "nothing",
        )
    return GatheredPhotos(tuple(photos), dict(sorted(left_out.items())))


def _expand(source: str) -> Iterator[tuple[str, bool]]:
    """Yield a source's names, and whether a file counts only if it is called as photos are."""
    pattern = glob.has_magic(source) and not is_address(source) and not os.path.lexists(source)
    # Path.glob takes no pattern from the root.
    matches = glob.glob(source, recursive=True) if pattern else []  # noqa: PTH207
    yield from ((name, True) for name in sorted(matches))
    if not matches:
        yield source, False


def _split_names(listed: bytes) -> Iterator[tuple[str, bool]]:
    lines = listed.split(b"\0") if b"\0" in listed else [line.rstrip(b"\r") for line in listed.split(b"\n")]
    yield from ((os.fsdecode(line), False) for line in lines if line.strip())

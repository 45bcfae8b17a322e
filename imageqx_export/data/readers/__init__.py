"""Read public data sets that a user has downloaded, and labelling tools' exports: a file each, with ``read(root)``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from imageqx_export.data.annotations import Rating
from imageqx_export.data.readers.download import Imported
from imageqx_export.errors import UnknownNameError


def _load_later(name: str) -> Callable[[Path], Imported]:
    def read(root: Path) -> Imported:
        imported: Imported = importlib.import_module(f"{__name__}.{name}").read(root)
        return imported

    return read


READERS: dict[str, Callable[[Path], Imported]] = {
    name: _load_later(name)
    for name in ("pad_ufes_20", "scin", "fitzpatrick17k", "vizwiz", "plain_folder", "label_studio", "redcap")
}
"""Data set → what reads its download."""


def import_public(name: str, root: Path) -> Imported:
    """Read a download, and say what was left out of it and why.

    Args:
        name: One of ``READERS``.
        root: The folder of the download, laid out as it is published; of a labelling tool, the file that it exported.

    Raises:
        UnknownNameError: There is no reader of that name.
        DatasetError: The download is not there (the error says where it is published and which files are expected),
            or is not laid out as published.
    """
    if name not in READERS:
        raise UnknownNameError("data set", name, READERS)
    return READERS[name](root)


def read_public(name: str, root: Path) -> list[Rating]:
    """Return a download's ratings alone; arguments and errors as for :func:`import_public`."""
    return list(import_public(name, root).ratings)

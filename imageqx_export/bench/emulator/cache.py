"""Keep what the emulator is built of outside the tree: parts that are whole or not there at all.

Each part (``root``, ``wheels``, ``qemu``) is a folder named by what it was asked to be made of, so that another recipe
is another folder and a renewed lock does not rebuild qemu. A part is written aside and renamed when it is complete, and
its ``built.json`` says what went into it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, ValidationError

from imageqx_export.errors import DeviceError
from imageqx_export.support.files import count_bytes
from imageqx_export.support.frozen import Frozen

VARIABLE = "IMAGEQX_EMULATOR"
RECORD = "built.json"
BUILD = "make emulator"


class Built(Frozen):
    """Say what a part is made of.

    Args:
        part: ``"root"``, ``"wheels"`` or ``"qemu"``.
        recipe: What was asked for; its digest is in the folder's name.
        files: SHA-256 of each package that was downloaded, by its file's name; empty where the recipe has the hashes.
        versions: Of what the part has, by name.
        seconds: How long it took to make.
        size_bytes: Of the folder.
    """

    schema_version: int = 1
    part: str
    recipe: dict[str, object]
    files: dict[str, str]
    versions: dict[str, str]
    seconds: float = Field(ge=0)
    size_bytes: int = Field(ge=0)


Made = tuple[dict[str, str], dict[str, str]]
"""What making a part gives: the files it downloaded, and the versions in it."""


def folder() -> Path:
    """Return the folder that holds the parts: ``$IMAGEQX_EMULATOR``, or one in the user's cache."""
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE]).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME", "")  # the XDG specification ignores relative ones
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    return base / "imageqx-export" / "emulator"


def place(part: str, recipe: dict[str, object]) -> Path:
    """Return where the part made by ``recipe`` lies, or would lie."""
    text = json.dumps(recipe, sort_keys=True).encode()
    return folder() / f"{part}-{hashlib.sha256(text).hexdigest()[:16]}"


def find(part: str, recipe: dict[str, object]) -> Built | None:
    """Read a part's record; None where the part was never completed."""
    path = place(part, recipe) / RECORD
    try:
        return Built.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise DeviceError(
            "the emulator's cache is damaged",
            where=path,
            got=str(error).splitlines()[0],
            remedy=f"rm -r {path.parent}, then {BUILD}",
        ) from error


@contextmanager
def locked() -> Iterator[None]:
    """Keep other builds away; they wait, and then find what this one made."""
    from filelock import FileLock

    folder().mkdir(parents=True, exist_ok=True)
    with FileLock(folder() / ".lock"):
        yield


def made(part: str, recipe: dict[str, object], make: Callable[[Path], Made]) -> Built:
    """Return a part's record; make the part first if it is not there. Call it under :func:`locked`.

    Args:
        part: Its name.
        recipe: What it shall be made of.
        make: Fills an empty folder.

    Raises:
        DeviceError: It cannot be made; then nothing is left of it.
    """
    found = find(part, recipe)
    if found is not None:
        return found
    target = place(part, recipe)
    aside = target.with_name(f".{target.name}.part")  # one name, so that a killed build's leavings are found
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        begin = time.monotonic()
        files, versions = make(aside)
        seconds = time.monotonic() - begin
        built = Built(
            part=part, recipe=recipe, files=files, versions=versions, seconds=seconds, size_bytes=count_bytes(aside)
        )
        (aside / RECORD).write_text(built.model_dump_json(indent=1) + "\n")
        shutil.rmtree(target, ignore_errors=True)  # without a record, so not a part
        aside.replace(target)
        return built
    finally:
        shutil.rmtree(aside, ignore_errors=True)

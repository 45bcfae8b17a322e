"""Keep what the emulator is built of outside the tree: parts that are whole or not there at all.

Each part (``root``, ``wheels``, ``qemu``) is a folder named by what it was asked to be made of, so that other inputs
are another folder and a renewed lock does not rebuild qemu. A part is written aside and renamed when it is complete,
and its ``built.json`` says what went into it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, model_validator

from imageqx_export.errors import DeviceError
from imageqx_export.support.caches import find_cache
from imageqx_export.support.files import count_bytes
from imageqx_export.support.frozen import Frozen, rename_key
from imageqx_export.support.untrusted import describe, read_model

VARIABLE = "IMAGEQX_EMULATOR"
RECORD = "built.json"
BUILD = "make emulator"


class Built(Frozen):
    """The record of a part: what it is made of.

    Args:
        part: ``"root"``, ``"wheels"`` or ``"qemu"``.
        inputs: What was asked for; its digest is in the folder's name.
        files: SHA-256 of each package that was downloaded, by its file's name; empty where the inputs have the hashes.
        versions: Of what the part has, by name.
        seconds: How long it took to make.
        size_bytes: Of the folder.
    """

    schema_version: int = 1
    part: str
    inputs: dict[str, object]
    files: dict[str, str]
    versions: dict[str, str]
    seconds: float = Field(ge=0)
    size_bytes: int = Field(ge=0)

    @model_validator(mode="before")
    @classmethod
    def _read_old_key(cls, fields: object) -> object:
        """Take ``recipe`` for ``inputs``, as caches that were built earlier call it."""
        return rename_key(fields, "recipe", "inputs")


Contents = tuple[dict[str, str], dict[str, str]]
"""What making a part gives: the files it downloaded, and the versions in it."""


def find_folder() -> Path:
    """Return the folder that holds the parts: ``$IMAGEQX_EMULATOR``, or one in the user's cache."""
    return find_cache("emulator", VARIABLE)


def name_folder(part: str, inputs: dict[str, object]) -> Path:
    """Return where the part made of ``inputs`` lies, or would lie."""
    text = json.dumps(inputs, sort_keys=True).encode()
    return find_folder() / f"{part}-{hashlib.sha256(text).hexdigest()[:16]}"


def read_part(part: str, inputs: dict[str, object]) -> Built | None:
    """Read a part's record; None where the part was never completed."""
    path = name_folder(part, inputs) / RECORD
    try:
        return read_model(path, Built)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DeviceError(
            "the emulator's cache is damaged",
            where=path,
            got=describe(error),
            remedy=f"rm -r {path.parent}, then {BUILD}",
        ) from error


@contextmanager
def hold_lock() -> Iterator[None]:
    """Keep other builds away; they wait, and then find what this one made."""
    from filelock import FileLock

    find_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(find_folder() / ".lock"):
        yield


def make_once(part: str, inputs: dict[str, object], make: Callable[[Path], Contents]) -> Built:
    """Return a part's record; make the part first if it is not there. Call it under :func:`hold_lock`.

    Args:
        part: Its name.
        inputs: What it shall be made of.
        make: Fills an empty folder.

    Raises:
        DeviceError: It cannot be made; then nothing is left of it.
    """
    found = read_part(part, inputs)
    if found is not None:
        return found
    target = name_folder(part, inputs)
    aside = target.with_name(f".{target.name}.part")  # one name, so that a killed build's leavings are found
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        begin = time.monotonic()
        files, versions = make(aside)
        seconds = time.monotonic() - begin
        built = Built(
            part=part, inputs=inputs, files=files, versions=versions, seconds=seconds, size_bytes=count_bytes(aside)
        )
        (aside / RECORD).write_text(built.model_dump_json(indent=1) + "\n")
        shutil.rmtree(target, ignore_errors=True)  # without a record, so not a part
        aside.replace(target)
        return built
    finally:
        shutil.rmtree(aside, ignore_errors=True)

"""The parsers of archives of photos, and of the parts of a table that an earlier run left."""

from __future__ import annotations

import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from imageqx_export.errors import ImageQXError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.predict.addresses import list_addresses, parse_photo, read_address, show_place
from imageqx_export.predict.archive.parts import ENDING, join_parts, open_output
from imageqx_export.predict.archive.stage import Summary
from imageqx_export.predict.archive.table import encode_records
from imageqx_export.predict.sources import _split_names
from tests.fuzz.models import repair_zip
from tests.fuzz.parsers import Parser, from_file

PHOTOS = {"a.jpg": b"one", "in/b.png": b"two" * 99, "notes.txt": b"three"}
_PART = "0" * 64 + ".parquet"


def list_archive_parsers() -> dict[str, Callable[[], Parser]]:
    """Return what makes each parser, by name."""
    tars = {f"{ending} of photos": partial(make_tar, ending) for ending in ("tar", "tar.gz")}
    return {"zip of photos": make_zip, **tars, "part of a table": make_part}


def list_name_parsers() -> dict[str, Callable[[], Parser]]:
    """Return what makes each parser of names, by name."""
    return {
        "address of a photo": make_address,
        "names on standard input": lambda: Parser(
            lambda data: list(_split_names(data)), (b"a.jpg\r\nb c.png\n", b"a.jpg\0in\nb.png\0")
        ),
    }


def make_address() -> Parser:
    """Of this process's memory; of others only the text is looked at, as they lead into the network."""
    import fsspec

    memory = fsspec.filesystem("memory")
    for name, content in PHOTOS.items():
        memory.pipe(f"/photos/{name}", content)

    def read(data: bytes) -> object:
        name = data.decode("utf-8", "surrogateescape")
        shown = show_place(parse_photo(name))
        if not name.startswith("memory://") or "::" in name:
            return shown
        return shown, _read_all(name)

    seeds = (b"memory://photos/", b"memory://photos/*.jpg", b"memory://photos/in/b.png", b"https://me:x@host/a?b=c")
    return Parser(read, seeds)


def _read_all(source: str) -> list[int]:
    """Return the lengths of the first photos at an address, of those that can be read."""
    lengths = []
    for address in list_addresses(source)[0][:4]:
        with suppress(ImageQXError):
            lengths.append(len(read_address(address)))
    return lengths


def _make_reader(kind: str, name: str) -> Callable[[bytes], object]:
    import fsspec

    files = fsspec.get_filesystem_class(kind)

    def read(path: Path) -> object:
        files.clear_instance_cache()  # a file of the same name would be the one before
        return _read_all(f"{kind}://::{path}")

    return from_file(name, read)


def make_zip() -> Parser:
    """Of photos that are stored, or deflated."""
    seeds = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, content in PHOTOS.items():
                archive.writestr(name, content)
        seeds.append(file.getvalue())
    return Parser(_make_reader("zip", "a.zip"), tuple(seeds), repair_zip)


def make_tar(ending: str) -> Parser:
    """Of photos, plain or with gzip around it, as the ending says."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz" if ending == "tar.gz" else "w") as archive:
        for name, content in PHOTOS.items():
            row = tarfile.TarInfo(name)
            row.size = len(content)
            archive.addfile(row, io.BytesIO(content))
    return Parser(_make_reader("tar", f"a.{ending}"), (file.getvalue(),))


def make_part() -> Parser:
    """Of two rows, joined to a table and counted."""
    folder = Path(tempfile.mkdtemp())
    parts = folder / f"a.parquet{ENDING}"
    record = {"photo": "a.jpg", "error": {"what": "no photo"}}

    def read(data: bytes) -> object:
        parts.mkdir(exist_ok=True)
        (parts / _PART).write_bytes(data)
        summary = Summary("a.parquet")
        assert join_parts(open_output(str(folder / "a.parquet")), [_PART], summary.count)
        return summary

    return Parser(read, (encode_records([record, {"photo": "b.jpg", "retake": True}], spec()),))

"""Edits of libraries and class files: what they change, and that they change nothing else."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from android_demo.tools.checks import classfile
from android_demo.tools.tflite import elf
from imageqx_export.errors import ConversionError

INTERFACE, CLASS = 0x0601, 0x0021


def make_class(name: str, *, calls: str, flags: int = CLASS) -> bytes:
    """Write the head of a class that refers to a method of another class; see the JVM specification, chapter 4."""
    constants = [
        utf8(name),
        struct.pack(">BH", 7, 1),
        utf8(calls),
        struct.pack(">BH", 7, 3),
        utf8("run"),
        utf8("()V"),
        struct.pack(">BHH", 12, 5, 6),
        struct.pack(">BHH", 10, 4, 7),
        struct.pack(">Bq", 5, 10),
    ]
    head = struct.pack(">IHHH", 0xCAFEBABE, 0, 52, len(constants) + 2)  # a long takes two places
    return head + b"".join(constants) + struct.pack(">HHH", flags, 2, 0)


def utf8(text: str) -> bytes:
    return struct.pack(">BH", 1, len(text)) + text.encode()


def test_mend_jar_marks_methods_of_interfaces_alone(tmp_path: Path) -> None:
    files = {
        "Face.class": make_class("Face", calls="Other", flags=INTERFACE),
        "A.class": make_class("A", calls="Face"),
        "notes.txt": b"Face",
    }
    with zipfile.ZipFile(tmp_path / "in.jar", "w") as jar:
        for name, data in files.items():
            jar.writestr(name, data)
    classfile.mend_jar(tmp_path / "in.jar", tmp_path / "out.jar", [])
    with zipfile.ZipFile(tmp_path / "out.jar") as jar:
        mended = {name: jar.read(name) for name in jar.namelist()}
    assert mended["Face.class"] == files["Face.class"]
    assert mended["notes.txt"] == files["notes.txt"]
    changes = [i for i, (a, b) in enumerate(zip(files["A.class"], mended["A.class"], strict=True)) if a != b]
    assert [(files["A.class"][i], mended["A.class"][i]) for i in changes] == [(10, 11)]


def make_library(names: bytes) -> bytes:
    """Write a 64-bit ELF file with one segment, whose dynamic section has a table of names and a version tag."""
    headers, dynamic = 64 + 2 * 56, 5 * 16
    size = headers + dynamic + len(names)
    head = b"\x7fELF\x02\x01".ljust(32, b"\0") + struct.pack("<Q", 64) + b"\0" * 16 + struct.pack("<H", 2)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0x1000, 0, size, size, 1)
    section = struct.pack("<IIQQQQQQ", 2, 4, headers, 0x1000 + headers, 0, dynamic, dynamic, 1)
    tags = ((0x6FFFFFFE, 1), (5, 0x1000 + headers + dynamic), (10, len(names)), (1, 0), (0, 0))
    return head.ljust(64, b"\0") + load + section + b"".join(struct.pack("<qQ", *tag) for tag in tags) + names


def test_adapt_library_renames_imports_and_blanks_versions() -> None:
    names = b"\0" + b"\0".join(name.encode() for name in elf.RENAMED) + b"\0my_fprintf\0"
    before = make_library(names)
    after = elf.adapt_library(before)
    assert after[-len(names) :] == b"\0" + b"\0".join(new.encode() for new in elf.RENAMED.values()) + b"\0my_fprintf\0"
    rest = slice(0, len(before) - len(names))
    assert [(a, b) for a, b in zip(before[rest], after[rest], strict=True) if a != b] == [
        (0xFE, 0x01),
        (0xFF, 0x00),
        (0xFF, 0x00),
        (0x6F, 0x60),
    ]


@pytest.mark.parametrize("library", [b"", b"\x7fELF\x01\x01", make_library(b"\0printf\0")])
def test_adapt_library_refuses_what_it_does_not_know(library: bytes) -> None:
    with pytest.raises(ConversionError):
        elf.adapt_library(library)


def test_adapt_library_takes_one_that_lacks_what_it_is_told() -> None:
    names = b"\0" + b"\0".join(name.encode() for name in elf.RENAMED if name != "fileno") + b"\0"
    with pytest.raises(ConversionError, match="fileno"):
        elf.adapt_library(make_library(names))
    assert b"Xflush" in elf.adapt_library(make_library(names), without=("fileno",))


def test_find_names_finds_functions_by_their_beginning() -> None:
    library = make_library(b"\0glFinish\0eglGetError\0glob\0my_glFlush\0glFinish\0")
    assert elf.find_names(library, "egl", "gl") == ["eglGetError", "glFinish"]


def test_renamed_imports_keep_their_length() -> None:
    assert all(len(old) == len(new) for old, new in elf.RENAMED.items())

"""The parsers of what tools print, and of what a phone or a page hands over."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from contextlib import nullcontext
from email.message import Message
from types import SimpleNamespace
from typing import Any

from imageqx_export.artifact import ModelSpec, TensorSpec
from imageqx_export.bench import instructions
from imageqx_export.bench.android.facts import describe_phone
from imageqx_export.bench.android.phone import Answer, Phone
from imageqx_export.bench.emulator.apt import parse_files
from imageqx_export.bench.emulator.guest import read_counts
from imageqx_export.bench.emulator.kernels import list_arguments
from imageqx_export.bench.emulator.wheels import pick_requirements
from imageqx_export.bench.web.answers import parse_answer, read_load_seconds, read_outputs, read_sample
from imageqx_export.compat.gpu.target import read_coverage
from imageqx_export.errors import MeasurementError
from imageqx_export.release.web import _find_start
from imageqx_export.runtimes.minimum import explain_older
from tests.fuzz.parsers import Parser

OUTPUTS = (TensorSpec(name="quality", shape=(1, 2), dtype="float32"),)
GPU = (
    "Following operations are not supported by GPU delegate:\nCAST: Not supported.\nMEAN: Only axes 1 and 2.\n"
    "9 operations will run on the GPU, and the remaining 2 operations will run on the CPU.\n"
)
PROPERTIES = (
    "ro.product.cpu.abilist=arm64-v8a,armeabi-v7a\nro.build.version.release=15\nro.product.manufacturer=Google\n"
    "ro.product.model=Pixel 9\nro.soc.model=Tensor G4\n"
)
LOCK = "numpy==2.4.1 ; python_full_version >= '3.11' \\\n    --hash=sha256:00\nrich==14.0 \\\n    --hash=sha256:11\n"
PERF = "# started on Mon Nov 30\n\n1234567,,instructions:u,100,100.00,,\n"


def list_tool_parsers() -> dict[str, Callable[[], Parser]]:
    """Return what makes each parser, by name."""
    return {
        "browser's times": lambda: Parser(
            lambda data: _read_page(data, lambda answer: (read_sample(answer, started=0.0), read_load_seconds(answer))),
            (b'{"load_seconds": 0.5, "first_seconds": 0.25, "seconds": [0.125, 0.25]}', b'{"error": "no"}'),
        ),
        "browser's outputs": lambda: Parser(
            lambda data: _read_page(data, lambda answer: read_outputs(answer, OUTPUTS)),
            (b'{"outputs": [{"quality": [0.5, 0.25]}, {"quality": [1, 0]}]}',),
        ),
        "phone's facts": lambda: Parser(
            lambda data: describe_phone(_as_phone(data.decode("utf-8", "replace"))), (PROPERTIES.encode(), b"aarch64\n")
        ),
        "phone's shell": lambda: Parser(lambda data: reach(data).shell("true"), (_make_shell(),)),
        "file of a phone": lambda: Parser(lambda data: reach(data).pull("/x"), (_make_file(),)),
        "emulator's counts": lambda: _of_text(read_counts, _make_counts()),
        "apt's list of files": lambda: _of_text(parse_files, f"'file:/a.deb' a.deb 9 SHA256:{'0' * 64}\n"),
        "lock of packages": lambda: _of_text(lambda text: pick_requirements(text, ["numpy"]), LOCK),
        "callgrind's count": lambda: _of_text(_explain(instructions._read_callgrind), "==1== Collected : 123456\n"),
        "perf's count": lambda: _of_text(_explain(instructions._read_perf), PERF),
        "LiteRT's list for GPUs": lambda: _of_text(
            lambda text: read_coverage({"total": 11, "whole": False}, text), GPU
        ),
        "version of a runtime": lambda: _of_text(_compare_version, "1.21.0.dev3+cpu"),
        "server's part of a file": lambda: _of_text(_find_part, "bytes 100-199/200"),
    }


def _of_text(read: Callable[[str], object], seed: str) -> Parser:
    return Parser(lambda data: read(data.decode("utf-8", "replace")), (seed.encode(),))


def _read_page(data: bytes, read: Callable[[dict[str, Any]], object]) -> object:
    answer = parse_answer(data)
    return answer["error"] if "error" in answer else read(answer)


def _explain(read: Callable[[str], int]) -> Callable[[str], int]:
    """Return a reader whose ValueError is the project's error, as its caller makes it."""

    def explain(text: str) -> int:
        try:
            return read(text)
        except ValueError as error:
            raise MeasurementError("no count", got=str(error)) from error

    return explain


def _make_counts() -> str:
    return "\n".join(
        ["total insns: 220000000", *(f"opcodes {one.partition('=')[0]} 9" for one in list_arguments()), ""]
    )


def _as_phone(text: str) -> Any:
    """Return a phone that answers so to whatever it is asked."""
    return SimpleNamespace(serial="x", where="adb:x", shell=lambda *_: Answer(0, text, ""))


class _Link(io.BytesIO):
    """A connection on which somebody has said these bytes, and hung up."""

    conn = SimpleNamespace(settimeout=lambda seconds: None, sendall=lambda data: None)

    def send_command(self, _: str) -> None:
        """Take what is asked."""

    def check_okay(self) -> None:
        """Find that it can be done."""

    def read_exact(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            EOFError: There are not so many.
        """
        data = self.read(size)
        if len(data) < size:
            raise EOFError("hung up")
        return data


def reach(data: bytes) -> Phone:
    """Return a phone that has said these bytes, and is gone."""
    client: Any = SimpleNamespace(make_connection=lambda timeout: nullcontext(_Link(data)))
    return Phone(client, "x")


def _make_shell() -> bytes:
    rows = ((1, b"some text\n"), (2, b"a warning\n"), (3, b"\0"))
    return b"".join(struct.pack("<BI", kind, len(data)) + data for kind, data in rows)


def _make_file() -> bytes:
    rows = ((b"DATA", b"some bytes"), (b"DATA", b"and more"), (b"DONE", b""))
    return b"".join(word + struct.pack("<I", len(data)) + data for word, data in rows)


def _compare_version(text: str) -> str | None:
    spec = ModelSpec.model_construct(min_runtime={"onnxruntime": "1.15.1"})
    return explain_older(spec, "onnxruntime", text)


def _find_part(text: str) -> int:
    headers = Message()
    headers.add_header("Content-Range", text)
    answer: Any = SimpleNamespace(status=206, headers=headers)
    return _find_start(answer, 100)

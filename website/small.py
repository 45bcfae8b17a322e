"""``imageqx`` with few pictures, in a fork of a process that has loaded its libraries: what examples are run by.

What takes the time of an example is drawing scenes and starting Python; neither is what the example shows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Final

from imageqx_export.cli import main
from imageqx_export.data import held_out, images

SCENES: Final = 34
"""Of a held-out side, and pictures of parity and of calibration, where the program has 408, 64 and 256."""


def load_libraries() -> None:
    """Import what most commands do, so that forks have it."""
    import matplotlib.pyplot  # noqa: F401
    import torch  # noqa: F401
    import torchvision  # noqa: F401


def call(words: Sequence[str], folder: Path, variables: Mapping[str, str]) -> CompletedProcess[str]:
    """Run ``imageqx`` as a person would, in a process of its own.

    Args:
        words: Of the command line, without the program's name.
        folder: Where.
        variables: The environment.
    """
    return _fork(["imageqx", *words], main, folder, variables)


def call_python(text: str, folder: Path, variables: Mapping[str, str]) -> CompletedProcess[str]:
    """Run a program in Python likewise."""
    return _fork(["-c"], lambda: exec(compile(text, "example", "exec"), {"__name__": "__main__"}), folder, variables)


def _fork(
    words: list[str], action: Callable[[], object], folder: Path, variables: Mapping[str, str]
) -> CompletedProcess[str]:
    with TemporaryDirectory() as scratch:
        out, err = Path(scratch, "out"), Path(scratch, "err")
        process = get_context("fork").Process(target=_act, args=(words, action, folder, dict(variables), out, err))
        process.start()
        process.join()
        printed = (path.read_text(encoding="utf-8") if path.exists() else "" for path in (out, err))
        return CompletedProcess(words, process.exitcode or 0, *printed)


def _act(
    words: list[str], action: Callable[[], object], folder: Path, variables: dict[str, str], out: Path, err: Path
) -> None:
    for stream, path in ((sys.stdout, out), (sys.stderr, err)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    held_out._SCENES = images.PARITY_IMAGES = images.CALIBRATION_IMAGES = images.CLEAN_IMAGES = SCENES
    sys.argv = words
    sys.modules["__main__"] = ModuleType("__main__")  # which processes that this one starts would import again
    action()

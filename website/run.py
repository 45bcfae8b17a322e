"""Run the examples of README and the site in folders of their own, a page each, two pages at a time."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from website.examples import Block, Omission, find_omission
from website.materials import prepare
from website.small import call, call_python, load_libraries

_SHELL: Final = re.compile(r" [|>&]|^(?!(?:\.venv/bin/)?imageqx )")


def run_pages(blocks: Iterable[Block], omissions: Sequence[Omission], folder: Path) -> list[str]:
    """Run the blocks, those of a page in their order, and return what is wrong.

    Args:
        blocks: Of the pages.
        omissions: What is not run, or run small.
        folder: Replaced; gets a folder a page.
    """
    shutil.rmtree(folder, ignore_errors=True)
    load_libraries()
    pages = [(page, list(group)) for page, group in groupby(blocks, key=lambda block: block.page)]
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        found = [
            pool.submit(_run_page, group, omissions, folder / page.replace("/", "-").removesuffix(".md"))
            for page, group in pages
        ]
        return [fault for one in found for fault in one.result()]


def _run_page(blocks: Sequence[Block], omissions: Sequence[Omission], folder: Path) -> list[str]:
    prepare(folder)
    return list(run_blocks(blocks, omissions, folder))


def run_blocks(blocks: Iterable[Block], omissions: Sequence[Omission], folder: Path) -> Iterator[str]:
    """Run the blocks that can be, and yield what is wrong: an exit code, or another output than the page's.

    Args:
        blocks: Of one page.
        omissions: What is not run, or run small.
        folder: Where, as :func:`website.materials.prepare` made it.
    """
    variables = {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "IMAGEQX_RELEASES_CACHE": str(folder / "cache" / "releases"),
        "IMAGEQX_EXPORTS_CACHE": str(folder / "cache" / "exports"),  # what few pictures measured is nobody else's
        "COLUMNS": "80",
    }
    for block in blocks:
        if block.language == "python":
            if find_omission(block.text, omissions) is None:
                yield from _judge(block.place, call_python(block.text, folder, variables))
        elif block.language == "sh":
            for command in block.list_commands():
                yield from _run_command(command, omissions, folder, variables, block.place)
        elif block.language == "console":
            for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
                yield from _judge(f"{block.place}: {command}", _act(command, folder, variables), printed=printed)


def _run_command(
    command: str, omissions: Sequence[Omission], folder: Path, variables: dict[str, str], place: str
) -> Iterator[str]:
    """Run a command unless it is make's, which CI runs, or one that is not run."""
    omission = find_omission(command, omissions)
    if command.startswith("make ") or (omission is not None and not omission.small):
        return
    if command.startswith("export "):
        variables.update(word.partition("=")[::2] for word in shlex.split(command)[1:])
        return
    whole = f"{command} {omission.add}".rstrip() if omission else command
    done = _act(whole, folder, variables)
    if omission and done.returncode in omission.codes and omission.says in done.stdout + done.stderr:
        return
    yield from _judge(f"{place}: {whole}", done)


def _act(command: str, folder: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command: of imageqx alone in a fork, with few pictures, and any other in a shell."""
    began = time.monotonic()
    if _SHELL.search(command):
        words = ["bash", "-euo", "pipefail", "-c", command]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=variables)
    else:
        done = call(shlex.split(command)[1:], folder, variables)
    if "IMAGEQX_TIMES" in os.environ:
        print(f"{time.monotonic() - began:6.1f} s  {command}", flush=True)
    return done


def _judge(place: str, done: subprocess.CompletedProcess[str], printed: str | None = None) -> Iterator[str]:
    if done.returncode != 0:
        yield f"{place}: exit code {done.returncode}: {done.stdout[-500:]}{done.stderr[-2000:]}"
    elif printed is not None and done.stdout.rstrip() != printed.rstrip():
        yield f"{place}: printed {done.stdout}{done.stderr}"

"""The stage behind ``make emulator``: what is missing is built, what is there stays."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from imageqx_export.bench.emulator import qemu, root, wheels
from imageqx_export.bench.emulator.apt import Apt
from imageqx_export.bench.emulator.cache import Built, Contents, hold_lock, make_once
from imageqx_export.bench.emulator.machine import CPUS, Emulator, list_parts, load_emulator
from imageqx_export.errors import DeviceError
from imageqx_export.support.progress import Progress, silent

TRIAL_SECONDS = 600


def build(mirror: str | None = None, progress: Progress = silent) -> list[Built]:
    """Build the emulator in the user's cache; parts that are there already stay as they are.

    Args:
        mirror: A Debian archive to use instead of those that this machine's apt is set up with.
        progress: Shows progress.

    Returns:
        The record of each part.

    Raises:
        DeviceError: A part cannot be built; those built before it stay, and nothing half-made does.
    """
    inputs_by_part = list_parts()
    with hold_lock(), ExitStack() as stack:
        debian: list[Apt] = []

        def apt() -> Apt:
            if not debian:
                debian.append(stack.enter_context(_fetch_indexes(mirror, progress)))
            return debian[0]

        makers = {
            "root": lambda folder: root.make_root(folder, apt(), progress),
            "wheels": lambda folder: wheels.make_wheels(folder, wheels.read_requirements(), progress),
            "qemu": lambda folder: qemu.make_qemu(folder, apt(), progress),
        }
        built = [make_once(name, inputs_by_part[name], make) for name, make in makers.items()]
        # A part of its own, so that it is done again after a kill and after any other part has changed.
        built.append(make_once("trial", dict(inputs_by_part), lambda folder: try_runtimes(load_emulator(), progress)))
    return built


def try_runtimes(emulator: Emulator, progress: Progress = silent) -> Contents:
    """Import the runtimes on every emulated CPU: it shows that they work, and leaves their bytecode compiled.

    Raises:
        DeviceError: They do not start.
    """
    program = "import ai_edge_litert.interpreter, onnxruntime, numpy, dataclasses, gc, json, tempfile, zipfile"
    environment = {k: v for k, v in emulator.environment().items() if k != "PYTHONDONTWRITEBYTECODE"}
    with progress("try the runtimes on each emulated CPU", len(CPUS)) as advance:
        for cpu in CPUS:
            result = subprocess.run(
                [*emulator.command(cpu), str(emulator.python), "-S", "-c", program],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TRIAL_SECONDS,
            )
            if result.returncode != 0:
                raise DeviceError(
                    f"the runtimes do not start on an emulated {cpu}",
                    where=emulator.python,
                    got=result.stderr.strip()[-1000:] or f"exit status {result.returncode}",
                )
            advance()
    return {}, {}


@contextmanager
def _fetch_indexes(mirror: str | None, progress: Progress) -> Iterator[Apt]:
    with ExitStack() as stack:
        with progress("fetch and verify Debian's indexes", 1) as advance:
            apt = stack.enter_context(root.open_debian(mirror))
            advance()
        yield apt

"""Networks of another distribution, and the command line as a person runs it who has installed that."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from imageqx_export.checkpoint import save_checkpoint
from imageqx_export.networks.base import Network
from tests.conftest import ROOT

Run = Callable[..., str]


def offer(network: Network, module: str, folder: Path) -> Run:
    """Write a network's checkpoint, and the distribution that offers it, and return how commands are run with both.

    Args:
        network: Its name is the checkpoint's.
        module: With ``spec`` and ``build``.
        folder: Where to; commands run in it.

    Returns:
        A function of a command's words and its exit code, 0 unless told otherwise, that gives what it printed.
    """
    name = network.spec.name
    save_checkpoint(network, network.spec, {}, {}, folder / f"{name}.safetensors")
    offered = folder / "offered-1.0.dist-info"
    offered.mkdir()
    (offered / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    (offered / "entry_points.txt").write_text(f"[imageqx_export.networks]\n{name} = {module}\n")

    def run(*arguments: object, code: int = 0) -> str:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
        words = [str(Path(sys.executable).parent / "imageqx"), *map(str, arguments)]
        found = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert found.returncode == code, found.stdout[-3000:] + found.stderr[-3000:]
        return found.stdout

    return run

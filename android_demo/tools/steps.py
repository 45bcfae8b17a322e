"""Steps: functions from paths to a path, run again only where something they read has changed."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock

from imageqx_export.support.files import digest

BUILD = Path("build") / "android"
"""Where every step writes, below the repository's root."""


def run_step(
    name: str, reads: Iterable[Path], make: Callable[[Path], None], *, options: Iterable[object] = (), suffix: str = ""
) -> Path:
    """Return what a step makes, from the last time if nothing it reads has changed.

    Args:
        name: The step's, and so its output's below ``BUILD``; a slash makes a folder.
        reads: Every file and folder that it reads; a missing one is an error of the step.
        make: Writes a file or a folder at the path that it is given; what it leaves when it fails is deleted.
        options: What else the output depends on: the command's options, versions.
        suffix: The output's, such as ``".jar"``.

    Returns:
        The output's path.
    """
    output = BUILD / f"{name}{suffix}"
    stamp = BUILD / "stamps" / f"{name}.sha256"
    stamp.parent.mkdir(parents=True, exist_ok=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{stamp}.lock"):  # tests in several processes ask for the same step
        now = _digest_inputs(reads, options)
        if output.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == now:
            return output
        stamp.unlink(missing_ok=True)
        _delete(output)
        began = time.monotonic()
        print(f"  {name} …", flush=True)
        try:
            make(output)
        except BaseException:
            _delete(output)
            raise
        stamp.write_text(now, encoding="utf-8")
        print(f"  {name}: {time.monotonic() - began:.1f} s", flush=True)
    return output


def _digest_inputs(reads: Iterable[Path], options: Iterable[object]) -> str:
    lines = [f"{path.name} {digest(path)}" for path in reads]
    return hashlib.sha256("\n".join([*lines, *map(str, options)]).encode()).hexdigest()


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

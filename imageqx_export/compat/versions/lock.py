"""Renew ``wheels.txt`` from ``runtimes.toml``: ``python -m imageqx_export.compat.versions.lock``.

Every version of every distribution is pinned once, with the hashes of all its wheels, so that emulated and other
machines can take theirs of the same list.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

from imageqx_export.compat.versions.catalogue import WHEELS, list_releases, read_catalogue
from imageqx_export.support.files import write_aside
from imageqx_export.support.libraries import find_uv

HEAD = "# Written by python -m imageqx_export.compat.versions.lock from runtimes.toml.\n"


def pin(requirement: str) -> str:
    """Return ``name==version`` with the hashes of its wheels."""
    command = [find_uv(), "pip", "compile", "-", "--quiet", "--no-deps", "--universal", "--generate-hashes"]
    command += ["--python-version", read_catalogue().python, "--only-binary", ":all:"]
    command += ["--no-emit-index-url", "--no-annotate", "--no-header"]
    result = subprocess.run(command, input=requirement, capture_output=True, text=True, check=True)
    return result.stdout


def main() -> int:
    """Write the file."""
    wanted = sorted({requirement for release in list_releases() for requirement in release.requirements})
    with ThreadPoolExecutor(4) as threads:
        blocks = list(threads.map(pin, wanted))
    with write_aside(WHEELS) as aside:
        aside.write_text(HEAD + "".join(blocks))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

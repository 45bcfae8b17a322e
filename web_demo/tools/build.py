"""Install web_demo's locked packages, and build its page, where something changed since the last time."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from imageqx_export.errors import UnavailableError
from web_demo.tools.model import write_model

HOME = Path("web_demo")
PAGE = HOME / "dist"
_SOURCES = (
    "src",
    "index.html",
    "bench.html",
    "vite.config.ts",
    "package-lock.json",
    "public/icon.svg",
    "tools/model.py",
)


def install() -> None:
    """Install what ``package-lock.json`` names, each package held to its hash; no script of theirs runs."""
    lock, installed = HOME / "package-lock.json", HOME / "node_modules" / ".imageqx-lock"
    if installed.is_file() and installed.read_bytes() == lock.read_bytes():
        return
    run_npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    shutil.copyfile(lock, installed)


def build(artifacts: Path) -> Path:
    """Build the page with an export's model, and return its folder.

    Args:
        artifacts: The export's folder.

    Raises:
        UnavailableError: There is no npm.
    """
    install()
    made, key = PAGE / ".made-of", _digest([artifacts / "manifest.json", *(HOME / name for name in _SOURCES)])
    if not (made.is_file() and made.read_text() == key):
        write_model(artifacts, HOME / "public" / "model")
        run_npm("run", "build", "--silent")
        made.write_text(key)
    return PAGE


def run_npm(*arguments: str) -> None:
    """Run npm in web_demo/.

    Raises:
        UnavailableError: There is none.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise UnavailableError("needs Node.js with npm", remedy="apt install nodejs npm")
    subprocess.run([npm, *arguments], cwd=HOME, check=True)


def _digest(paths: Iterable[Path]) -> str:
    hash = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                hash.update(str(file).encode() + b"\0" + file.read_bytes())
    return hash.hexdigest()

"""``python -m website``: build the documentation's site, serve it, check it, and run its examples."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading

from imageqx_export.bench.web.server import POLICY, serve
from website import REPOSITORY
from website.check import find_dead, look
from website.examples import list_blocks, list_pages, read_omissions
from website.stage import stage

SOURCE = REPOSITORY / "build" / "site-source"
SITE = REPOSITORY / "build" / "site"
TOOLS = REPOSITORY / ".venv" / "site"
_ROLE = re.compile(r":(?:func|class|meth|mod|attr):<code>~?(?:\w+\.)*(\w+)</code>")
"""How docstrings name others, as mkdocstrings leaves it."""

_SITE_POLICY = "default-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' data: blob:"


def main() -> None:
    """Run what the command line asks for; exit 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m website", description=__doc__)
    parser.add_argument("command", choices=["build", "serve", "check", "examples"])
    parser.add_argument("--only", default="", help="of examples: pages whose name has this")
    parser.add_argument("--port", type=int, default=8225, help="of serve")
    arguments = parser.parse_args()
    if arguments.command == "build":
        build()
    elif arguments.command == "serve":
        with serve(SITE, port=arguments.port, policy=choose_policy) as served:
            print(f"{served.url}  (Ctrl-C ends it)", flush=True)
            threading.Event().wait()
    elif arguments.command == "check":
        exit_with(find_dead(SITE) + look(SITE, REPOSITORY / "build" / "site-pictures"))
    else:
        exit_with(run_examples(arguments.only))


def build() -> None:
    """Build the site strictly, with web_demo's page in it where that is built."""
    stage(REPOSITORY, SOURCE)
    command = [str(TOOLS / "bin" / "mkdocs"), "build", "--strict", "--quiet", "-f", "website/mkdocs.yml"]
    subprocess.run(command, cwd=REPOSITORY, check=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    python = SITE / "reference" / "python.html"
    python.write_text(_ROLE.sub(r"<code>\1</code>", python.read_text(encoding="utf-8")), encoding="utf-8")
    (SITE / "404.html").unlink()  # its links begin at a server's root, and the site may lie anywhere
    demo = REPOSITORY / "web_demo" / "dist"
    if demo.is_dir():
        shutil.copytree(demo, SITE / "demo", dirs_exist_ok=True)
    print(SITE)


def choose_policy(name: str) -> str:
    """Return the Content-Security-Policy of a file: the demo's own is strict, the theme needs inline styles."""
    return POLICY if name.startswith("demo/") else _SITE_POLICY


def run_examples(only: str) -> list[str]:
    """Run the examples of pages whose name has a word, and return what is wrong; see :mod:`website.run`."""
    from website.run import run_pages  # loads what commands do

    blocks = [block for block in list_blocks(list_pages()) if only in block.page]
    return run_pages(blocks, read_omissions(), REPOSITORY / "build" / "site-examples")


def exit_with(faults: list[str]) -> None:
    """Print what is wrong, if anything, and how many faults there are; exit 1 where there is one."""
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

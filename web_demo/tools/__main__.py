"""``python -m web_demo.tools``: build web_demo's page, serve it, and write what its tests compare with."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from imageqx_export.bench.web.server import serve
from imageqx_export.errors import ImageQXError
from web_demo.tools.build import HOME, build, install, run_npm
from web_demo.tools.golden import write_golden

ARTIFACTS = Path("artifacts") / "imageqx"


def main() -> None:
    """Run what the command line asks for; exit 1 with one error where it fails."""
    parser = argparse.ArgumentParser(prog="python -m web_demo.tools", description=__doc__)
    parser.add_argument("command", choices=["build", "serve", "check", "test"])
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="an export's folder")
    parser.add_argument("--port", type=int, default=8224, help="of serve")
    arguments = parser.parse_args()
    try:
        if arguments.command == "check":
            install()
            run_npm("run", "check", "--silent")
        elif arguments.command == "test":
            test(arguments.artifacts)
        else:
            page = build(arguments.artifacts)
            if arguments.command == "serve":
                serve_until_stopped(page, arguments.port)
            else:
                print(page)
    except ImageQXError as error:
        sys.exit(f"error: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: npm failed with {error.returncode}")


def test(artifacts: Path) -> None:
    """Run the core's tests in Node, and the page's in Chromium, against a server on the loopback address."""
    page = build(artifacts)
    with tempfile.TemporaryDirectory() as folder, serve(page, artifacts) as served:
        golden = Path(folder) / "golden"
        write_golden(artifacts, golden)
        os.environ["IMAGEQX_WEB_GOLDEN"] = str(golden)
        os.environ["IMAGEQX_WEB_URL"] = served.url
        os.environ["IMAGEQX_WEB_ARTIFACTS"] = str(artifacts.resolve())
        os.environ["IMAGEQX_WEB_PICTURES"] = str((HOME / "pictures").resolve())
        run_npm("test", "--silent")


def serve_until_stopped(page: Path, port: int) -> None:
    """Serve the page on the loopback address until Ctrl-C."""
    with serve(page, port=port) as served:
        print(f"{served.url}  (Ctrl-C ends it)", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()

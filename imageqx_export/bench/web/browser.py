"""Run jobs of web_demo's measuring page, each in a fresh headless Chromium with an empty profile."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from imageqx_export.artifact import Artifact, Format
from imageqx_export.bench.web.answers import parse_answer
from imageqx_export.bench.web.server import Served
from imageqx_export.errors import DeviceError, MeasurementError
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.processes import tie_to_parent
from imageqx_export.support.untrusted import describe, read_json

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
RUNTIMES: Final = {Format.TFLITE: "litertjs", Format.ONNX: "onnxruntime-web"}
"""Per format, the page's runtime."""

_TIMEOUT: Final = 180.0
_FLAGS: Final = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--mute-audio",
)


def find_chromium() -> str:
    """Return the first Chromium on the path.

    Raises:
        DeviceError: There is none.
    """
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise DeviceError("no Chromium on the path", expected=" or ".join(NAMES), remedy="apt install chromium")
    return found


def find_page() -> Path:
    """Return the folder of web_demo's built page: ``$IMAGEQX_WEB_PAGE``, or ``web_demo/dist`` of the current folder.

    Raises:
        DeviceError: There is none.
    """
    folder = Path(os.environ.get("IMAGEQX_WEB_PAGE") or Path("web_demo") / "dist")
    if not (folder / "bench.html").is_file():
        raise DeviceError("web_demo's page is not built", where=folder, expected="bench.html", remedy="make web-page")
    return folder


def read_page_versions(page: Path) -> dict[str, str]:
    """Return the versions of the runtimes that a built page has, by name.

    Raises:
        DeviceError: The page does not say.
    """
    path = page / "runtimes.json"
    try:
        found = read_json(path)
        return {name: str(found[name]) for name in RUNTIMES.values()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeviceError(
            "web_demo's page does not say its runtimes", where=path, got=describe(error), remedy="make web-page"
        ) from error


def read_version(executable: str) -> str:
    """Return a browser's version, such as ``"Chromium 156.0"``."""
    asked = subprocess.run([executable, "--version"], capture_output=True, text=True, check=False)
    return " ".join(asked.stdout.split()[:2]) or "unknown"


def make_job(mode: str, artifact: Artifact, **more: Any) -> dict[str, Any]:
    """Return a job for a file at ``artifacts/``: ``mode`` is ``"time"`` or ``"outputs"``."""
    runtime = RUNTIMES[artifact.format]
    common = {"mode": mode, "runtime": runtime, "folder": "artifacts/", "path": str(artifact.path), "pictures": []}
    return {**common, **more}


def run_job(executable: str, served: Served, job: dict[str, Any]) -> dict[str, Any]:
    """Run one job in a fresh browser, and return what the page found.

    Raises:
        MeasurementError: The page failed, the browser ended, or nothing came back in time.
    """
    number = str(len(served.jobs))
    served.jobs[number] = job
    with temporary_folder("chromium") as profile:
        process = _start(executable, profile, f"{served.url}bench.html?job={number}")
        try:
            result = _wait(process, served, number, str(job["path"]))
        finally:
            _end(process)
    if "error" in result:
        raise MeasurementError(
            "the browser cannot run the file", where=str(job["path"]), got=str(result["error"]), remedy="imageqx parity"
        )
    return result


def _start(executable: str, profile: Path, url: str) -> subprocess.Popen[bytes]:
    flags = list(_FLAGS)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium refuses to run as root with it
    return subprocess.Popen(
        tie_to_parent([executable, *flags, f"--user-data-dir={profile}", url]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # its helpers end with it
    )


def _wait(process: subprocess.Popen[bytes], served: Served, number: str, where: str) -> dict[str, Any]:
    deadline = time.monotonic() + _TIMEOUT
    while time.monotonic() < deadline:
        try:
            answered, content = served.results.get(timeout=0.1)
        except queue.Empty:
            if process.poll() is not None:
                raise MeasurementError("the browser ended", where=where, got=f"exit {process.returncode}") from None
            continue
        if answered != number:
            continue  # of a browser that was given up
        return parse_answer(content)
    raise MeasurementError("the browser hung", where=where, got=f"no answer after {_TIMEOUT:g} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

"""A Mac with Xcode and a phone, for tests: fake programs on PATH that replay recorded answers."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imageqx_export.artifact import Manifest
from imageqx_export.support.files import digest

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
UDID = "00008120-000A000000000003"
IDENTIFIER = "AAAAAAAA-0000-4000-8000-000000000003"
TEAM = "AB12CD34EF"
# As a module and not as a script, so that it is compiled once: a test starts it a hundred times.
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); import fake_xcode; sys.exit(fake_xcode.main())"


def recorded(name: str) -> Any:
    """Return a recorded answer."""
    return json.loads((RECORDED / f"{name}.json").read_text())


def well() -> dict[str, Any]:
    """Return the answers of a Mac and a phone on which everything is as it should be."""
    return {
        "list devices": {"json": recorded("devices")},
        "device info details": {"json": recorded("details")},
        "device info lockState": {"json": recorded("unlocked")},
        "device install app": {"json": recorded("installed")},
        "device uninstall app": {"json": recorded("uninstalled")},
    }


class FakeMac:
    """A Mac in a folder: ``bin`` with the programs, the answers, the calls so far, the phone's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        for name in ("xcrun", "devicectl", "xcodebuild"):
            program = self.bin / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E -c "{START}" "{HERE}" {name} "$@"\n')
            program.chmod(0o755)
        (folder / "calls.jsonl").touch()
        self.answer(well())

    def answer(self, answers: dict[str, Any]) -> None:
        """Set what the programs answer."""
        (self.folder / "answers.json").write_text(json.dumps(answers))

    def change(self, **answers: Any) -> None:
        """Change single answers; ``list_devices`` is the subcommand ``list devices``."""
        self.answer({**well(), **{key.replace("_", " "): value for key, value in answers.items()}})

    @property
    def calls(self) -> list[list[str]]:
        """Every call so far, with the program's name first."""
        return [json.loads(line) for line in (self.folder / "calls.jsonl").read_text().splitlines()]

    def environment(self, path: str) -> dict[str, str]:
        """Return the variables under which the programs are found and the runner is signed."""
        return {"PATH": f"{self.bin}:{path}", "FAKE_XCODE": str(self.folder), "IMAGEQX_IOS_TEAM": TEAM}

    def enter(self, monkeypatch: pytest.MonkeyPatch, path: str = "/usr/bin:/bin") -> None:
        """Let this process believe that it runs there."""
        monkeypatch.setattr("platform.system", lambda: "Darwin")
        for name, value in self.environment(path).items():
            monkeypatch.setenv(name, value)


def shadow_coremltools(folder: Path) -> Path:
    """Make a coremltools as macOS has it, of links to the installed one, and return the folder for ``sys.path``.

    Args:
        folder: Where to; gets ``coremltools/``, with the fake native library and the runner's empty workspace.
    """
    found = importlib.util.find_spec("coremltools")
    assert found is not None and found.origin is not None
    package = folder / "coremltools"
    package.mkdir(parents=True)
    for entry in Path(found.origin).parent.iterdir():
        (package / entry.name).symlink_to(entry)
    (package / "libcoremlpython.py").symlink_to(HERE / "fake_native.py")
    (package / "modelrunner" / "ModelRunner.xcworkspace").mkdir(parents=True)
    return folder


def few_photos(artifacts: Path, folder: Path, count: int) -> Path:
    """Make an artifacts' folder of links, with the first golden photos alone."""
    (folder / "golden").mkdir(parents=True)
    for entry in artifacts.iterdir():
        if entry.name not in ("golden", "manifest.json"):
            (folder / entry.name).symlink_to(entry)
    rows = json.loads((artifacts / "golden" / "expected.json").read_text())
    kept = dict(list(rows.items())[:count])
    (folder / "golden" / "expected.json").write_text(json.dumps(kept))
    for file in kept:
        (folder / "golden" / file).symlink_to(artifacts / "golden" / file)
    manifest = Manifest.model_validate_json((artifacts / "manifest.json").read_text())
    golden = {path.name: digest(path) for path in sorted((folder / "golden").iterdir())}
    (folder / "manifest.json").write_text(manifest.model_copy(update={"golden": golden}).model_dump_json())
    return folder


def know_outputs(mac: FakeMac, artifacts: Path, *, wrong_by: float = 0.0) -> None:
    """Let the phone answer the golden photos with PyTorch's outputs, the first number of one of them moved.

    Args:
        mac: The scenario.
        artifacts: The folder with ``golden/``.
        wrong_by: How far the number is moved.
    """
    known: dict[str, Any] = {}
    for file, row in json.loads((artifacts / "golden" / "expected.json").read_text()).items():
        pixels = np.asarray(Image.open(artifacts / "golden" / file).convert("RGB"))
        planes = np.moveaxis(pixels, -1, 0).astype("<f4")
        outputs = {name: np.asarray([values]) for name, values in row.items()}
        known[hashlib.sha256(planes.tobytes()).hexdigest()] = {
            name: {"shape": list(values.shape), "flat": values.ravel().tolist()} for name, values in outputs.items()
        }
    moved = known[max(known)]["explanations"]["flat"]
    moved[2] += wrong_by
    (mac.folder / "phone").mkdir(exist_ok=True)
    (mac.folder / "phone" / "outputs.json").write_text(json.dumps(known))

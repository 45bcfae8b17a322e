"""What several rooms' tests share: the shipped checkpoint, exported once, and the command line."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
import pytest
from filelock import FileLock

from imageqx_export.budgets.limits import SHIPPED

ROOT = Path(__file__).parent.parent
CHECKPOINT = ROOT / "models" / "imageqx.safetensors"
EXPORTED = ("fp32", "fp16", "w8")
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

# A busy machine would fail what is right: no test asserts how long it takes.
hypothesis.settings.register_profile("any-machine", deadline=None)
hypothesis.settings.load_profile("any-machine")


# What a test changes of the export must not come back in another one, nor in the user's own exports.
os.environ["IMAGEQX_NO_CACHE"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the export first: one worker begins with it, and the other does the rest instead of waiting."""
    items.sort(key=lambda item: "exported" not in getattr(item, "fixturenames", ()))


def run_cli(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the installed console script as a person would."""
    command = [str(Path(sys.executable).parent / "imageqx"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd or ROOT, capture_output=True, text=True, check=False)


def call_cli(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run what the console script runs in this process, which has loaded its libraries already."""
    from imageqx_export.cli import main

    command = ["imageqx", *map(str, arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    argv = mock.patch.object(sys, "argv", command)
    with chdir(cwd or ROOT), argv, redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as leaving:
        main()
    printed = []
    for stream in (out, err):
        stream.seek(0)
        printed.append(stream.read())
    assert isinstance(leaving.value.code, int)
    return subprocess.CompletedProcess(command, leaving.value.code, *printed)


@pytest.fixture(scope="session")
def sizes_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the shipped budgets without those of accuracy, which take make export a minute."""
    path = tmp_path_factory.mktemp("budgets") / "budgets.toml"
    path.write_text(SHIPPED.read_text(encoding="utf-8").partition("[accuracy]")[0])
    return path


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Give the command line in this process; see ``program`` for tests of the process itself."""
    return call_cli


@pytest.fixture(scope="session")
def program() -> Cli:
    """Give the installed program."""
    return run_cli


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    return CHECKPOINT


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, sizes_alone: Path) -> Path:
    """Export the shipped checkpoint, once for all workers; read the artifacts, do not change them.

    Without w8a8, whose conversions take as long as all others together: make test-int8 has its own, and make test-long
    gives the folder that make export wrote. So does make test where that is newer than all it was made of.
    """
    if "IMAGEQX_EXPORTED" in os.environ:
        return ROOT / os.environ["IMAGEQX_EXPORTED"]
    if is_current(ROOT / "artifacts" / "imageqx"):
        return ROOT / "artifacts" / "imageqx"
    base = tmp_path_factory.getbasetemp()
    out = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "exported"
    with FileLock(f"{out}.lock"):
        if not (out / "report.json").exists():
            result = run_cli(
                "export", "--precisions", ",".join(EXPORTED), "--out", out, "--json", "--budgets", sizes_alone
            )
            assert result.returncode == 0, result.stdout + result.stderr
            (out / "report.json").write_text(result.stdout)
    return out / "imageqx"


def is_current(folder: Path) -> bool:
    """Say whether an export is newer than the package, the models and the libraries, as make would.

    Its first file is looked at, as the package may have changed while it was made.
    """
    if not (folder / "manifest.json").is_file():
        return False
    made = min(path.stat().st_mtime for path in folder.rglob("*") if path.is_file())
    sources = [ROOT / "requirements" / "lock.txt", CHECKPOINT.parent, *CHECKPOINT.parent.glob("*")]
    sources += [path for path in (ROOT / "imageqx_export").rglob("*") if path.suffix not in (".pyc", "")]
    return made > max(path.stat().st_mtime for path in sources)


@pytest.fixture
def converted(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let exports of this process take the shared export's files instead of converting, and compare two images."""
    from imageqx_export.data.images import generate_images

    def copy(source: Path, model: str, sha256: str, files: dict[Any, Path], *others: object) -> None:
        for path in files.values():
            shutil.copy(exported / path.name, path)

    monkeypatch.setattr("imageqx_export.export.stage.convert_all", copy)
    monkeypatch.setattr("imageqx_export.export.golden.generate_images", lambda spec: generate_images(2, spec=spec))

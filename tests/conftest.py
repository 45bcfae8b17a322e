"""What several rooms' tests share: the shipped checkpoint, exported once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from imageqx_export.budgets.limits import SHIPPED

ROOT = Path(__file__).parent.parent
CHECKPOINT = ROOT / "models" / "imageqx.safetensors"
EXPORTED = ("fp32", "fp16", "w8")
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the export first: one worker begins with it, and the other does the rest instead of waiting."""
    items.sort(key=lambda item: "exported" not in getattr(item, "fixturenames", ()))


def run_cli(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the installed console script as a person would."""
    command = [str(Path(sys.executable).parent / "imageqx"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd or ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def sizes_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the shipped budgets without those of accuracy, which take make export a minute."""
    path = tmp_path_factory.mktemp("budgets") / "budgets.toml"
    path.write_text(SHIPPED.read_text(encoding="utf-8").partition("[accuracy]")[0])
    return path


@pytest.fixture(scope="session")
def cli() -> Cli:
    return run_cli


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    return CHECKPOINT


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, sizes_alone: Path) -> Path:
    """Export the shipped checkpoint, once for all workers; read the artifacts, do not change them.

    Without w8a8, whose conversions take as long as all others together: make test-int8 has its own, and make test-long
    gives the folder that make export wrote.
    """
    if "IMAGEQX_EXPORTED" in os.environ:
        return ROOT / os.environ["IMAGEQX_EXPORTED"]
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

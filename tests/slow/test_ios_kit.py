"""ImageQXKit's own tests, built and run by Debian's Swift compiler: ``make test-ios``.

What the kit gives is compared with what Python and Pillow gave (``tests/ios/fixtures.py``), number by number.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from imageqx_export.bench.history import append_run, load_history
from imageqx_export.bench.imported import read_shared_run
from imageqx_export.bench.model import QUICK
from imageqx_export.errors import DeviceError
from tests.ios import toolchain
from tests.ios.fixtures import write_fixtures

ROOT = Path(__file__).parents[2]
KIT = ROOT / "ios_demo" / "ImageQXKit"
ARTIFACTS = ROOT / "artifacts" / "imageqx"
TEST = ("swift", "test", "-c", "release", "-j", "1", "-Xswiftc", "-enable-testing")


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write what the kit is compared with."""
    folder = tmp_path_factory.mktemp("fixtures")
    write_fixtures(folder)
    return folder


@pytest.fixture(scope="module")
def tested(fixtures: Path) -> subprocess.CompletedProcess[str]:
    """Build and run the tests once."""
    return run_tests(fixtures)


def run_tests(fixtures: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the kit's tests with these fixtures."""
    environment = {"IMAGEQX_FIXTURES": str(fixtures), "IMAGEQX_ARTIFACTS": str(ARTIFACTS)}
    return toolchain.run([*TEST, *options], KIT, binds=[fixtures, ARTIFACTS], environment=environment, timeout=1200)


def test_every_test_of_the_kit_passes(tested: subprocess.CompletedProcess[str]) -> None:
    assert tested.returncode == 0, tested.stdout[-8000:] + tested.stderr[-4000:]
    found = re.search(r"Test run with (\d+) tests passed", tested.stdout)
    assert found and int(found[1]) >= 57, tested.stdout[-2000:]


def test_it_builds_without_warnings(tested: subprocess.CompletedProcess[str]) -> None:
    assert [line for line in (tested.stdout + tested.stderr).splitlines() if "warning:" in line] == []


def test_bench_reads_what_the_app_shares(
    fixtures: Path, tmp_path: Path, tested: subprocess.CompletedProcess[str]
) -> None:
    run = read_shared_run(fixtures / "run.json")
    assert (run.target, run.schedule) == ("ios-app", QUICK)
    assert [one.precision for one in run.measurements] == ["fp16", "w8"]
    assert all(len(one.samples) == 2 and len(one.seconds) >= 10 for one in run.measurements)
    assert (run.machine.facts, run.tool_versions) == ({"thermal_state": "fair"}, {"Core_ML": "17.4"})
    append_run(tmp_path / "history.jsonl", run)
    assert load_history(tmp_path / "history.jsonl") == (run,)


@pytest.mark.parametrize("name", ["resize3.out", "overlay1.map", "bytes65"])
def test_wrong_fixtures_are_found(name: str, tmp_path: Path, tested: subprocess.CompletedProcess[str]) -> None:
    write_fixtures(tmp_path)
    wrong = bytearray((tmp_path / name).read_bytes())
    wrong[len(wrong) // 2] ^= 1
    (tmp_path / name).write_bytes(wrong)
    done = run_tests(tmp_path, "--skip-build")
    assert done.returncode != 0 and re.search(r"tests? failed", done.stdout), done.stdout[-2000:]


def test_a_compiler_that_is_not_the_pinned_one_is_refused() -> None:
    pinned = toolchain.PINNED["amd64"]
    toolchain.refuse_unpinned(pinned, pinned)
    name = next(iter(pinned))
    with pytest.raises(DeviceError, match="not the pinned one"):
        toolchain.refuse_unpinned({**pinned, name: "0" * 64}, pinned)
    with pytest.raises(DeviceError, match="not the pinned one"):
        toolchain.refuse_unpinned({name.replace("6.0.3", "6.1"): "0" * 64}, {name: pinned[name]})


def test_without_root_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceError, match="no mount namespace"):
        toolchain.find_command()
    assert "unshare" not in os.environ["PATH"]

"""Ray for real: clusters on this machine, of which a worker, a node or the driver is killed, and S3; make test-ray."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from PIL import Image

from imageqx_export.errors import DeviceError
from imageqx_export.predict.archive import cluster
from imageqx_export.predict.archive.cluster import connect_ray
from imageqx_export.predict.archive.stage import Engine, Summary, assess_archive, open_model
from imageqx_export.predict.archive.threads import assess_in_threads
from imageqx_export.predict.sources import gather_photos
from imageqx_export.support.progress import Progress, silent
from tests.conftest import CHECKPOINT, ROOT
from tests.release.addresses.servers import BUCKET, ENVIRONMENT, Place, serve_s3

IMAGEQX = Path(sys.executable).with_name("imageqx")

pytestmark = pytest.mark.filterwarnings("default")  # Ray's own

PHOTOS = 120
STORE = 80 * 2**20
_LONG = 480.0  # seconds that a busy machine may take to end processes


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make small photos that differ, of which one is cut off."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for index in range(PHOTOS - 1):
        pixels = random.integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((96, 72)).save(folder / f"{index:03}.png")
    (folder / "cut.png").write_bytes((folder / "000.png").read_bytes()[:900])
    return folder


@pytest.fixture(scope="session")
def right(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the table of the engine without Ray."""
    out = tmp_path_factory.mktemp("threads") / "a.parquet"
    assess(photos, out, assess_in_threads)
    return pq.read_table(out)


def assess(photos: Path, out: Path, engine: Engine, progress: Progress = silent) -> Summary:
    found = gather_photos([str(photos)])
    return assess_archive(found.photos, open_model(CHECKPOINT), str(out), engine, progress=progress)


def after(count: int, act: Callable[[], None]) -> Progress:
    """Return a bar that acts when so many photos are done."""

    @contextmanager
    def progress(description: str, total: int) -> Iterator[Callable[[], None]]:
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            if done == count:
                act()

        yield advance

    def start(description: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        return progress(description, total)

    return start


def find_workers() -> list[psutil.Process]:
    """Return the processes below this one that judge photos now."""
    return [one for one in psutil.Process().children(recursive=True) if "_assess_block" in get_command(one)]


def get_command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return ""


def test_two_nodes_of_which_one_is_killed(
    photos: Path, right: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    node = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    nodes = insist(lambda: Cluster(initialize_head=True, head_node_args=node))
    killed = []
    try:
        second = insist(lambda: nodes.add_node(**node))

        def kill() -> None:
            wait_for(lambda: len(find_workers()) == 2)
            nodes.remove_node(second, allow_graceful=False)
            killed.append(second.any_processes_alive())

        capsys.readouterr()
        summary = assess(photos, tmp_path / "a.parquet", connect_ray(nodes.address), after(4, kill))
    finally:
        nodes.shutdown()
    assert killed == [False]
    assert capsys.readouterr().out == ""  # where a row of JSON may be expected
    assert (summary.photos, summary.unreadable.count, summary.kept) == (PHOTOS, 1, 0)
    assert pq.read_table(tmp_path / "a.parquet") == right


def test_a_worker_is_killed(photos: Path, right: Any, tmp_path: Path) -> None:
    killed = []

    def kill() -> None:
        wait_for(lambda: bool(find_workers()))
        for process in find_workers():
            process.kill()
            killed.append(process.pid)

    assess(photos, tmp_path / "a.parquet", connect_ray(None, cores=1), after(4, kill))
    assert killed
    assert pq.read_table(tmp_path / "a.parquet") == right


def test_the_driver_is_killed_and_the_command_given_again(photos: Path, right: Any, tmp_path: Path) -> None:
    out = tmp_path / "a.parquet"
    command = [str(IMAGEQX), "predict", str(photos), "--engine", "ray", "--json"]
    command += ["--out", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        wait_for(lambda: len(list(tmp_path.glob("a.parquet.parts/*.parquet"))) >= 3)
        children = psutil.Process(driver.pid).children(recursive=True)
        driver.kill()
    assert not out.exists() and len(children) > 2
    wait_for(lambda: not any(process.is_running() and process.status() != "zombie" for process in children))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    printed = json.loads(done.stdout)
    assert printed["kept"] >= 12 and printed["photos"] == PHOTOS and printed["unreadable"] == 1
    assert "Traceback" not in done.stderr and "ray" not in done.stderr.lower().replace(str(tmp_path.parent), "")
    assert pq.read_table(out) == right


def test_photos_and_table_on_s3(photos: Path, right: Any, tmp_path: Path) -> None:
    """The command is killed when some parts are there, and goes on from them; the rows are those of the files here."""
    ENVIRONMENT.prepare()
    chosen = sorted(photos.iterdir())[-40:]
    with serve_s3() as place:
        for photo in chosen:
            place.write(f"photos/{photo.name}", photo.read_bytes())
        out = f"{place.address}/verdicts.parquet"
        command = [str(IMAGEQX), "predict", f"{place.address}/photos", "--engine", "ray", "--json", "--out", out]
        with subprocess.Popen(
            command, cwd=ROOT, env=place.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as driver:
            wait_for(lambda: len(list_keys(place, "verdicts.parquet.parts/")) >= 2)
            driver.kill()
        done = subprocess.run(command, cwd=ROOT, env=place.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        summary = json.loads(done.stdout)
        assert (summary["photos"], summary["unreadable"]) == (40, 1) and summary["kept"] >= 8
        assert list_keys(place, "verdicts") == ["releases/verdicts.parquet"]
        rows = pq.read_table(io.BytesIO(place.read("verdicts.parquet"))).to_pylist()
    assert [row.pop("photo") for row in rows] == [f"{place.address}/photos/{photo.name}" for photo in chosen]
    expected = {Path(row.pop("photo")).name: row for row in right.to_pylist()}
    assert rows == [expected[photo.name] for photo in chosen]


def list_keys(place: Place, start: str) -> list[str]:
    """Return the names of a bucket's objects that begin so, as S3 itself lists them."""
    query = urllib.parse.urlencode({"list-type": 2, "prefix": f"releases/{start}"})
    with urllib.request.urlopen(f"{place.server}/{BUCKET}?{query}", timeout=30) as answer:
        return re.findall("<Key>([^<]*)</Key>", answer.read().decode())


def test_another_version_on_a_machine_is_a_sentence(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "__version__", "0.0.1")  # here; workers import the real one
    with pytest.raises(DeviceError, match="another version of imageqx-export"):
        insist(lambda: assess(photos, tmp_path / "a.parquet", connect_ray(None, cores=1)))


def insist(start: Callable[[], Any]) -> Any:
    """Try again: Ray gives a node 30 seconds to start, which a busy machine may not have."""
    for _ in range(2):
        try:
            return start()
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
    return start()


def wait_for(done: Callable[[], bool]) -> None:
    """Wait until something is so, which a busy machine may take minutes for."""
    for _ in range(int(_LONG / 0.2)):
        if done():
            return
        time.sleep(0.2)
    pytest.fail("it took too long")

"""Folders that are swapped into place: a reader never sees half of one, also when the writer is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from imageqx_export.errors import ImageQXError
from imageqx_export.support import folders
from imageqx_export.support.folders import Layout, stage_folder, temporary_folder

LAYOUT = Layout.of_names("a version", ("a", "b"))

_KILLED_WHILE_WRITING = """
import sys, time
from pathlib import Path
from imageqx_export.support.folders import Layout, stage_folder
target, ready = map(Path, sys.argv[1:])
with stage_folder(target, Layout("a version", ("[ab]",))) as staging:
    (staging.path / "a").write_text("2")
    ready.touch()
    time.sleep(60)
"""

_KILLED_BETWEEN_RENAMES = """
import sys, time
from pathlib import Path
from imageqx_export.support import folders
target, ready = map(Path, sys.argv[1:])
folders._exchange = lambda one, other: False
rename = Path.replace
def replace(self, other):
    if Path(other) == target:
        ready.touch()
        time.sleep(60)
    return rename(self, other)
Path.replace = replace
with folders.stage_folder(target, folders.Layout("a version", ("[ab]",))) as staging:
    (staging.path / "a").write_text("2")
    (staging.path / "b").write_text("2")
    staging.publish()
"""


def fill(folder: Path, version: int) -> None:
    """Write the two files of which a whole folder consists."""
    for name in ("a", "b"):
        (folder / name).write_text(str(version))


def version(folder: Path) -> str:
    """Tell a whole folder's version, and fail on half of one."""
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    one, other = (folder / "a").read_text(), (folder / "b").read_text()
    assert one == other
    return one


def publish(target: Path, number: int) -> None:
    with stage_folder(target, LAYOUT) as staging:
        fill(staging.path, number)
        assert staging.publish() == target


def kill(script: str, target: Path, ready: Path) -> None:
    """Run ``script`` until it says that it is ready, and kill it there."""
    writer = subprocess.Popen([sys.executable, "-c", script, str(target), str(ready)])
    try:
        wait_for(ready, writer)
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()


def wait_for(ready: Path, writer: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not ready.exists():
        assert writer.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Give a published folder of version 1, alone in its parent."""
    target = tmp_path / "place" / "imageqx"
    publish(target, 1)
    return target


@pytest.fixture(params=[True, False], ids=["swap", "no swap"])
def swapping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if not request.param:
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    return bool(request.param)


@pytest.mark.usefixtures("swapping")
def test_publish(target: Path) -> None:
    assert version(target) == "1"
    with stage_folder(target, LAYOUT) as staging:
        assert staging.path.parent == target.parent and list(staging.path.iterdir()) == []
        fill(staging.path, 2)
        assert version(target) == "1"
        staging.publish()
        assert version(target) == "2"
    assert version(target) == "2" and list(target.parent.iterdir()) == [target]


@pytest.mark.usefixtures("swapping")
def test_without_publish_nothing_happens(target: Path) -> None:
    with stage_folder(target, LAYOUT) as staging:
        fill(staging.path, 2)
    assert version(target) == "1" and list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_keeps_the_old_folder(target: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with stage_folder(target, LAYOUT) as staging:
            (staging.path / "a").write_text("2")
            raise error

    with pytest.raises(error):
        fail()
    assert version(target) == "1" and list(target.parent.iterdir()) == [target]


def test_reject(target: Path) -> None:
    for number in (2, 3):  # the second replaces the first
        with stage_folder(target, LAYOUT) as staging:
            fill(staging.path, number)
            rejected = staging.reject()
        assert rejected == target.with_name("imageqx.rejected")
        assert version(rejected) == str(number)
    assert version(target) == "1" and sorted(target.parent.iterdir()) == [target, rejected]


def test_a_killed_writer_keeps_the_old_folder(target: Path, tmp_path: Path) -> None:
    kill(_KILLED_WHILE_WRITING, target, tmp_path / "ready")
    assert version(target) == "1"
    assert len(list(target.parent.iterdir())) == 2, "the killed writer left nothing: the test proves nothing"
    with stage_folder(target, LAYOUT) as staging:
        assert sorted(target.parent.iterdir()) == sorted([target, staging.path])
    assert version(target) == "1" and list(target.parent.iterdir()) == [target]


def test_a_kill_between_two_renames_is_mended(target: Path, tmp_path: Path) -> None:
    kill(_KILLED_BETWEEN_RENAMES, target, tmp_path / "ready")
    assert not target.exists(), "not killed between the renames: the test proves nothing"
    with stage_folder(target, LAYOUT) as staging:
        assert version(target) == "1"
        fill(staging.path, 3)
        staging.publish()
    assert version(target) == "3" and list(target.parent.iterdir()) == [target]


def test_the_old_folder_goes_when_the_new_one_is_in_place(target: Path) -> None:
    """A kill after both renames."""
    old = target.parent / ".imageqx.old"
    shutil.copytree(target, old)
    with stage_folder(target, LAYOUT):
        assert not old.exists() and version(target) == "1"


def test_a_living_writers_folder_stays(target: Path, tmp_path: Path) -> None:
    """Whatever its process id says: in another container it is another process's, or nobody's."""
    ready = tmp_path / "ready"
    writer = subprocess.Popen([sys.executable, "-c", _KILLED_WHILE_WRITING, str(target), str(ready)])
    try:
        wait_for(ready, writer)
        (mine,) = (path for path in target.parent.iterdir() if path != target)
        publish(target, 2)
        assert mine.is_dir() and (mine / "a").read_text() == "2" and version(target) == "2"
    finally:
        writer.kill()
        writer.wait()
    publish(target, 3)
    assert list(target.parent.iterdir()) == [target], "once dead, it is a leftover"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="process id namespaces are root's")
def test_two_writers_of_one_process_id_do_not_meet(target: Path) -> None:
    """As in two containers with one volume."""
    script = """
import os, sys
from pathlib import Path
from imageqx_export.support.folders import Layout, stage_folder
target, number = Path(sys.argv[1]), sys.argv[2]
assert os.getpid() == 1
for _ in range(100):
    with stage_folder(target, Layout("a version", ("[ab]",))) as staging:
        (staging.path / "a").write_text(number)
        assert [path.name for path in staging.path.iterdir()] == ["a"]
        (staging.path / "b").write_text(number)
        assert (staging.path / "a").read_text() == number
        staging.publish()
"""
    apart = ["unshare", "--pid", "--fork", sys.executable, "-c", script, str(target)]
    if subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine makes no process id namespaces")
    writers = [subprocess.Popen([*apart, number], stderr=subprocess.PIPE, text=True) for number in ("2", "3")]
    for writer in writers:
        _, problems = writer.communicate(timeout=60)
        assert writer.returncode == 0, problems
    assert version(target) in "23" and list(target.parent.iterdir()) == [target]


def test_what_others_put_there_is_refused_and_stays(target: Path) -> None:
    for foreign in (target / "notes.txt", target / "folder" / "a", target / "empty"):
        if foreign.name == "empty":
            foreign.mkdir()
        else:
            foreign.parent.mkdir(exist_ok=True)
            foreign.write_text("mine")
        with pytest.raises(ImageQXError, match="holds something else than a version") as caught:
            publish(target, 2)
        assert caught.value.got == foreign.relative_to(target).as_posix()
        assert foreign.exists() and (target / "a").read_text() == "1" and list(target.parent.iterdir()) == [target]
        shutil.rmtree(foreign.parent if foreign.parent != target else foreign, ignore_errors=True)
        foreign.unlink(missing_ok=True)
    (target / ".DS_Store").touch()
    publish(target, 2)
    assert version(target) == "2"


def test_what_comes_there_in_the_meantime_stays(target: Path) -> None:
    def write() -> None:
        with stage_folder(target, LAYOUT) as staging:
            fill(staging.path, 2)
            (target / "notes.txt").write_text("mine")
            staging.publish()

    with pytest.raises(ImageQXError, match=r"notes\.txt"):
        write()
    assert (target / "notes.txt").read_text() == "mine" and (target / "a").read_text() == "1"


def test_reject_leaves_a_foreign_folder(target: Path) -> None:
    foreign = target.with_name("imageqx.rejected") / "notes.txt"
    foreign.parent.mkdir()
    foreign.write_text("mine")
    for number in (2, 3):
        with stage_folder(target, LAYOUT) as staging:
            fill(staging.path, number)
            rejected = staging.reject()
        assert rejected.name == "imageqx.rejected.2" and version(rejected) == str(number)
    assert foreign.read_text() == "mine" and version(target) == "1"


@pytest.mark.usefixtures("swapping")
@pytest.mark.parametrize("there", [True, False], ids=["to a folder", "to nothing yet"])
def test_a_link_stays_a_link(target: Path, tmp_path: Path, there: bool) -> None:
    real = target if there else tmp_path / "elsewhere" / "new"
    link = tmp_path / "link"
    link.symlink_to(real)
    publish(link, 2)
    assert link.is_symlink() and link.readlink() == real and version(real) == "2"
    assert list(real.parent.iterdir()) == [real] and list(link.parent.glob(".*")) == []
    with stage_folder(link, LAYOUT) as staging:
        fill(staging.path, 3)
        assert staging.reject() == real.with_name(real.name + ".rejected")
    assert version(link) == "2"


def test_a_temporary_folder_goes_also_when_its_owner_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = tmp_path / "imageqx-other-abcdefgh"
    mine.mkdir()
    with temporary_folder("test") as living, temporary_folder("test") as other:
        assert living.is_dir() and other.is_dir() and living.stat().st_mode & 0o777 == 0o700
        (living / "file").touch()
    assert list(tmp_path.iterdir()) == [mine]
    dead = tmp_path / "imageqx-test-a_b0defg"
    dead.mkdir()
    (dead / "file").touch()
    with temporary_folder("test"):
        assert not dead.exists() and mine.exists()


def test_a_neighbours_leftovers_do_not_disturb(target: Path) -> None:
    neighbour = target.parent / ".imageqx.old one.staging"
    neighbour.mkdir()
    publish(target, 2)
    assert neighbour.is_dir() and version(target) == "2"


def look(target: Path) -> str | None:
    """Read a folder through one handle; None if it was swapped away while it was read."""
    handle = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        read = []
        for name in ("a", "b"):
            file = os.open(name, os.O_RDONLY, dir_fd=handle)
            read.append(os.read(file, 100).decode())
            os.close(file)
    except FileNotFoundError:
        if os.path.samestat(os.fstat(handle), target.stat()):
            raise
        return None
    finally:
        os.close(handle)
    assert read[0] == read[1]
    return read[0]


def test_a_reader_sees_whole_folders_only(target: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    if not folders._exchange(one, other):
        pytest.skip("this file system cannot swap two folders")
    seen: list[str | None] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                seen.append(look(target))
        except (AssertionError, OSError) as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2, 202):
        publish(target, number)
    done.set()
    reader.join()
    assert not failures
    whole = [int(number) for number in seen if number is not None]
    assert len(set(whole)) > 5, "the reader hardly ran"
    assert whole == sorted(whole) and version(target) == "201"


def test_the_look_notices_half_a_folder(target: Path) -> None:
    """The negative control of the reader."""
    (target / "b").write_text("2")
    with pytest.raises(AssertionError):
        look(target)
    (target / "b").unlink()
    with pytest.raises(FileNotFoundError):
        look(target)

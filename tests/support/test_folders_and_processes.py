"""Folders that are swapped into place while writers are killed and readers look."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from imageqx_export.support import folders
from imageqx_export.support.folders import stage_folder, temporary_folder
from imageqx_export.support.locks import hold
from tests.support.versions import LAYOUT, fill, publish, version

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


def test_a_folder_that_one_holds_can_be_staged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``imageqx verify --rebuild`` does, which waited for its own lock for ever."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def export() -> None:
        with temporary_folder("test") as folder:
            publish(folder / "export", 1)

    thread = threading.Thread(target=export, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_who_does_not_hold_it_waits(tmp_path: Path) -> None:
    came: list[str] = []

    def wait() -> None:
        with hold(tmp_path):
            came.append("the other")

    with hold(tmp_path):
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        with hold(tmp_path):
            came.append("the holder")
        thread.join(0.2)
        assert thread.is_alive()
        came.append("the holder again")
    thread.join(20)
    assert came == ["the holder", "the holder again", "the other"]

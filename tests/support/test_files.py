"""Files that are written aside: whole or not at all, also when the writer is killed."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.errors import ImageQXError
from imageqx_export.support.files import check_places, check_room, write_aside
from imageqx_export.support.folders import Layout
from tests.conftest import CHECKPOINT, Cli

_HALF_WAY = """
import sys, time
from pathlib import Path
from imageqx_export.support.files import write_aside
target, ready = map(Path, sys.argv[1:])
with write_aside(target) as aside:
    aside.write_text("half of the n")
    ready.touch()
    time.sleep(60)
"""


def test_a_new_file_in_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.bin"
    with write_aside(path) as aside:
        assert aside.parent == path.parent, "another file system could not be renamed from"
        assert not path.exists()
        aside.write_bytes(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new" and list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@settings(max_examples=20, deadline=None)
@given(old=st.binary(max_size=64), new=st.binary(max_size=64))
def test_replaces(tmp_path_factory: pytest.TempPathFactory, old: bytes, new: bytes) -> None:
    path = tmp_path_factory.mktemp("replaces") / "file"
    path.write_bytes(old)
    with write_aside(path) as aside:
        aside.write_bytes(new)
        assert path.read_bytes() == old
    assert path.read_bytes() == new and len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_keeps_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with write_aside(path) as aside:
            aside.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_writer_that_removes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), write_aside(path) as aside:
        aside.unlink()
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with write_aside(path) as one, write_aside(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # the outer block ends last
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_keeps_the_old_file(tmp_path: Path) -> None:
    path, ready = tmp_path / "folder" / "file", tmp_path / "ready"
    path.parent.mkdir()
    path.write_text("old")
    writer = subprocess.Popen([sys.executable, "-c", _HALF_WAY, str(path), str(ready)])
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert writer.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    assert path.read_text() == "old"
    assert len(list(path.parent.iterdir())) == 2, "the killed writer left nothing: the test proves nothing"
    mine = path.parent / ".file.mine.part"
    mine.touch()
    with write_aside(path) as aside:
        aside.write_text("new")
    assert path.read_text() == "new" and sorted(path.parent.iterdir()) == [mine, path]


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing yet"])
def test_a_link_stays_a_link(tmp_path: Path, there: bool) -> None:
    real, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    real.parent.mkdir()
    if there:
        real.write_text("old")
    link.symlink_to(Path("elsewhere") / "file")
    with write_aside(link) as aside:
        aside.write_text("new")
    assert link.is_symlink() and real.read_text() == "new" and not real.is_symlink()
    assert list(real.parent.iterdir()) == [real] and sorted(tmp_path.iterdir()) == [real.parent, link]


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name, got in (("pipe", "a pipe"), ("folder", "a folder"), ("link", "a pipe")):
        with pytest.raises(ImageQXError, match="not a file") as caught, write_aside(tmp_path / name):
            pass
        assert str(caught.value.got).startswith(got)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link", "pipe"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small disk, given its options; permissions would not keep root from writing."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / "disk"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root mounts a tmpfs, and not on every machine")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize(("options", "number"), [("size=64k", errno.ENOSPC), ("ro", errno.EROFS)])
def test_a_disk_that_takes_nothing_is_found_before_the_work(
    options: str, number: int, disk: Callable[[str], Path]
) -> None:
    """With the name of the file that was asked for, in a folder that is not there yet, too."""
    place = disk(options)
    for path in (place / "file", place / "new" / "folder" / "file"):
        for check in (check_places, check_room, Layout("a report", ("a",)).check_place):
            with pytest.raises(OSError, match=os.strerror(number)) as caught:
                check(path)
            assert (caught.value.errno, caught.value.filename) == (number, str(path))
    assert list(place.iterdir()) == []


def test_a_place_that_can_be_written_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "file")
    check_places(tmp_path / "old", None, tmp_path / "a" / "b" / "new", tmp_path / "link")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "old"]
    with pytest.raises(ImageQXError, match="not a file"):
        check_places(tmp_path)
    with pytest.raises(NotADirectoryError):
        check_places(tmp_path / "old" / "file")


def test_what_takes_minutes_looks_at_its_places_first(tmp_path: Path, cli: Cli) -> None:
    """A folder stands where each would write: it is said before a photo is drawn, or a weight read."""
    out = tmp_path / "out.safetensors"
    names = ("card.md", "out.safetensors", "seeds.seed2.safetensors", "state.safetensors.state")
    for folder in (tmp_path / name for name in names):
        (folder / "a").mkdir(parents=True)
    words = ("--checkpoint", str(CHECKPOINT))
    commands = [
        ("train", "--out", str(out)),
        ("train", "--out", str(tmp_path / "seeds.safetensors"), "--seeds", "3"),
        ("train", "--out", str(tmp_path / "card.safetensors")),
        ("finetune", "--checkpoint", str(tmp_path / "copy.safetensors"), "--out", str(tmp_path / "out.json")),
        ("finetune", "--checkpoint", str(tmp_path / "copy.safetensors"), "--out", str(tmp_path / "state.json")),
        ("quantize", *words, "--out", str(out)),
        ("quantize", *words, "--analyze", "--chart", str(out), "--out", str(tmp_path / "new.json")),
        ("thresholds", *words, "--youden", "--out", str(out)),
        ("thresholds", *words, "--youden", "--out", str(tmp_path / "new"), "--thresholds-out", str(out)),
    ]
    (tmp_path / "copy.safetensors").symlink_to(CHECKPOINT)
    for command in commands:
        found = cli(*command)
        assert found.returncode == 1 and "the output is not a file" in found.stderr, (command, found.stderr)
        assert "drawing" not in found.stderr and "reading" not in found.stderr, command
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((*names, "copy.safetensors"))

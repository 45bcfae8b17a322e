"""Folders that are swapped into place: published, refused, rejected, linked."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imageqx_export.errors import ImageQXError
from imageqx_export.support.folders import stage_folder, temporary_folder
from tests.support.versions import LAYOUT, fill, publish, version


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


def test_the_old_folder_goes_when_the_new_one_is_in_place(target: Path) -> None:
    """A kill after both renames."""
    old = target.parent / ".imageqx.old"
    shutil.copytree(target, old)
    with stage_folder(target, LAYOUT):
        assert not old.exists() and version(target) == "1"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="process id namespaces are root's")
def test_two_writers_of_one_process_id_do_not_meet(target: Path) -> None:
    """As in two containers with one volume."""
    script = """
import os, sys
from pathlib import Path
from imageqx_export.support.folders import Layout, stage_folder, temporary_folder
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


def test_a_neighbours_leftovers_do_not_disturb(target: Path) -> None:
    neighbour = target.parent / ".imageqx.old one.staging"
    neighbour.mkdir()
    publish(target, 2)
    assert neighbour.is_dir() and version(target) == "2"


@pytest.mark.parametrize("how", ["open file", "file", "library"])
def test_a_full_disk_is_told_with_the_place_that_people_know(target: Path, how: str) -> None:
    """Neither an open file's error nor a path below the staging folder says where there is no room."""

    def fail() -> None:
        with stage_folder(target, LAYOUT) as staging:
            name = {"open file": None, "file": str(staging.path / "a"), "library": os.fsencode(staging.path / "a")}[how]
            raise OSError(errno.ENOSPC, "no room", name)

    with pytest.raises(OSError, match="space") as caught:
        fail()
    assert caught.value.filename == str(target if how == "open file" else target / "a")
    assert caught.value.errno == errno.ENOSPC and version(target) == "1"


def test_errors_of_other_places_keep_their_names(target: Path) -> None:
    for error in (OSError(errno.ENOSPC, "no room", "/elsewhere"), FileNotFoundError(errno.ENOENT, "none", "b")):
        with pytest.raises(OSError, match=r"no room|none") as caught, stage_folder(target, LAYOUT):
            raise error
        assert caught.value is error


def test_a_full_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OSError, match="space") as caught, temporary_folder("test"):
        raise OSError(errno.ENOSPC, "no room")
    assert caught.value.filename == str(tmp_path)

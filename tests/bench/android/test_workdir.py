from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from imageqx_export.bench.android.phone import PhoneGoneError
from imageqx_export.bench.android.workdir import Supply, Workdir, clear_stale, parse_free_bytes
from imageqx_export.errors import DeviceError, MeasurementError
from tests.bench.android.fakes import World

TABLE = "Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/block/dm-47\n  115249236 98000000 {} 86% /data\n"


def make_workdir(one: World, **files: bytes) -> Workdir:
    return Workdir(one.attach(), "run-1", {name: Supply(data) for name, data in files.items()})


def say_free(one: World, kibibytes: int) -> None:
    (one.phone.bin / "df").unlink()
    (one.phone.say / "df").write_text(TABLE.format(kibibytes))
    one.phone._program("df", f"cat {one.phone.say}/df")


def test_what_is_pushed_is_there_and_pushed_once(one: World, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"weights")
    place = Workdir(one.attach(), "run-1", {"a.tflite": Supply(tmp_path / "model"), "tool": Supply(b"x", 0o755)})
    place.prepare()
    folder = one.phone.tmp / "imageqx-run-1"
    assert sorted(p.name for p in folder.iterdir()) == ["a.tflite", "jobs", "run_id", "tool"]
    assert (folder / "a.tflite").read_bytes() == b"weights"
    assert os.access(folder / "tool", os.X_OK) and not os.access(folder / "a.tflite", os.X_OK)
    before = (folder / "a.tflite").stat().st_mtime_ns
    (folder / "tool").write_bytes(b"damaged")
    place.prepare()
    assert (folder / "tool").read_bytes() == b"x"
    assert (folder / "a.tflite").stat().st_mtime_ns == before
    place.remove()
    assert one.phone.folders == []


def test_a_file_that_arrives_damaged_is_noticed(one: World) -> None:
    one.phone.corrupt = lambda path, data: data[:-1] + b"?" if "a.tflite" in path else data
    with pytest.raises(DeviceError, match="did not arrive") as caught:
        make_workdir(one, **{"a.tflite": b"weights"}).prepare()
    assert caught.value.where == "adb:0A1B2C3D: a.tflite"


def test_too_little_room_is_said_before_anything_is_pushed(one: World) -> None:
    say_free(one, 30 * 1024)
    with pytest.raises(DeviceError, match="not enough room") as caught:
        make_workdir(one, big=bytes(2**20)).prepare()
    assert (caught.value.expected, caught.value.got) == ("33 MiB free", "30 MiB")
    assert not (one.phone.tmp / "imageqx-run-1" / "big").exists()
    say_free(one, 34 * 1024)
    make_workdir(one, big=bytes(2**20)).prepare()


@pytest.mark.parametrize(
    ("text", "free"),
    [
        (TABLE.format(123), 123 * 1024),
        ("Filesystem     1K-blocks  Used Available Use% Mounted on\ntmpfs 100 0 100 0% /data/local/tmp\n", 100 * 1024),
    ],
)
def test_df_is_read_in_one_line_and_in_two(text: str, free: int) -> None:
    assert parse_free_bytes(text) == free


@pytest.mark.parametrize("text", ["", "df: /data: Permission denied", "a b c d"])
def test_df_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DeviceError, match="how full"):
        parse_free_bytes(text)


@pytest.mark.parametrize("name", ["", "../x", "a b", "a;b", "-rf", ".hidden"])
def test_a_run_id_that_is_no_folders_name_is_refused(one: World, name: str) -> None:
    with pytest.raises(DeviceError, match="run id"):
        Workdir(one.attach(), name, {})


def test_a_job_gets_its_files_and_gives_its_results(one: World) -> None:
    place = make_workdir(one)
    place.prepare()
    words = ["sh", "-c", 'cat in "$1" >out; cat ../../run_id >who; echo noise; echo more >&2', "sh", "in"]
    found = place.run(words, ["out", "who"], 10, {"in": b"hello "})
    assert found == {"out": b"hello hello ", "who": b"run-1\n"}
    assert list((one.phone.tmp / "imageqx-run-1" / "jobs").iterdir()) == []


@pytest.mark.parametrize(
    ("script", "code", "words", "remedy"),
    [
        ("echo half >out; echo first >&2; echo 'bad model' >&2; exit 3", 3, "bad model", "None"),
        ("echo whole >out; kill -9 $$", 137, "", "memory"),
        ("exec ./nothing", 127, "not found", "built for Android"),
    ],
)
def test_a_job_that_fails_is_no_result_whatever_it_wrote(
    one: World, script: str, code: int, words: str, remedy: str
) -> None:
    place = make_workdir(one)
    place.prepare()
    with pytest.raises(MeasurementError, match="sh failed on the phone") as caught:
        place.run(["sh", "-c", script], ["out"], 10)
    assert str(caught.value.got).startswith(f"{code}: ") and words in str(caught.value.got)
    assert remedy in str(caught.value.remedy)


def test_a_job_that_ends_well_without_a_result_is_refused(one: World) -> None:
    place = make_workdir(one)
    place.prepare()
    with pytest.raises(MeasurementError, match=r"wrote no out") as caught:
        place.run(["sh", "-c", "echo Unconsumed flags; exit 0"], ["out"], 10)
    assert caught.value.got == "Unconsumed flags"


@pytest.mark.parametrize(
    ("name", "damaged", "what"),
    [("id", b"run-0\n1\n", "another run"), ("out", b"other", "did not arrive"), ("id", b"run-1\n2\n", "another run")],
)
def test_results_of_another_run_and_damaged_ones_are_refused(one: World, name: str, damaged: bytes, what: str) -> None:
    place = make_workdir(one)
    place.prepare()
    one.phone.corrupt = lambda path, data: damaged if path.endswith(f"/{name}") else data
    with pytest.raises(MeasurementError, match=what):
        place.run(["sh", "-c", "echo mine >out"], ["out"], 10)


def test_a_folder_that_another_run_has_made_its_own_is_noticed(one: World) -> None:
    place = make_workdir(one)
    place.prepare()
    (one.phone.tmp / "imageqx-run-1" / "run_id").write_text("another\n")
    with pytest.raises(MeasurementError, match="another run") as caught:
        place.run(["sh", "-c", "echo mine >out"], ["out"], 10)
    assert (caught.value.expected, caught.value.got) == ("run-1 1", "another 1")


def test_a_folder_that_is_gone_can_be_made_again(one: World) -> None:
    place = make_workdir(one)
    place.prepare()
    one.phone.before = lambda line: place.remove() if line.startswith("cd") and "exec" in line else None
    with pytest.raises(PhoneGoneError, match="what was pushed is gone"):
        place.run(["true"], [], 10)


def alive(needle: str) -> bool:
    return any(needle in " ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"]))


def test_a_job_that_takes_too_long_is_killed(one: World) -> None:
    place = make_workdir(one)
    place.prepare()
    marker = f"30.{os.getpid()}7"
    with pytest.raises(MeasurementError, match="sleep takes too long"):
        place.run(["sleep", marker], [], 0.5)
    end = time.monotonic() + 5
    while alive(f"sleep {marker}") and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(f"sleep {marker}")


def test_only_our_own_processes_are_killed(one: World) -> None:
    """After a restart of the phone a job's number may be another program's."""
    other = subprocess.Popen(["sleep", "30"], cwd="/")
    try:
        folder = one.phone.tmp / "imageqx-run-1" / "jobs" / "1"
        folder.mkdir(parents=True)
        (folder / "pid").write_text(f"{other.pid}\n")
        make_workdir(one).kill()
        assert other.poll() is None
        mine = subprocess.Popen(["sleep", "30"], cwd=folder)
        (folder / "pid").write_text(f"{mine.pid}\n")
        make_workdir(one).kill()
        assert mine.wait(5) == -9
    finally:
        other.kill()
        other.wait()


def test_what_a_dead_run_left_is_tidied_up_and_the_mode_with_it(one: World) -> None:
    old, plain, other = (one.phone.tmp / name for name in ("imageqx-old", "imageqx-plain", "somebody-elses"))
    for folder in (old, plain, other):
        (folder / "jobs").mkdir(parents=True)
    (old / "fixed-performance").touch()
    assert clear_stale(one.attach()) == ["/data/local/tmp/imageqx-old", "/data/local/tmp/imageqx-plain"]
    assert one.phone.folders == ["somebody-elses"]
    assert one.phone.modes == ["power set-fixed-performance-mode-enabled false"]
    assert clear_stale(one.attach()) == []


def test_a_phone_without_sha256sum_says_so(one: World) -> None:
    (one.phone.bin / "sha256sum").unlink()
    with pytest.raises(DeviceError, match="no sha256sum"):
        make_workdir(one, a=b"x").prepare()


def test_a_folder_that_cannot_be_deleted_is_an_error(one: World) -> None:
    place = make_workdir(one)
    place.prepare()
    (one.phone.bin / "rm").unlink()
    one.phone._program("rm", "exit 0")
    with pytest.raises(DeviceError, match="cannot be deleted"):
        place.remove()


def test_limits_are_for_answers_and_jobs_apart(one: World) -> None:
    one.limits = replace(one.limits, answer=0.5)
    place = make_workdir(one)
    place.prepare()
    assert place.run(["sh", "-c", "sleep 1; echo x >out"], ["out"], 10) == {"out": b"x\n"}

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from imageqx_export.bench.emulator import machine
from imageqx_export.bench.emulator.cache import (
    RECORD,
    Contents,
    find_folder,
    hold_lock,
    make_once,
    name_folder,
    read_part,
)
from imageqx_export.errors import DeviceError

INPUTS: dict[str, object] = {"packages": ["a", "b"]}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMAGEQX_EMULATOR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fill(target: Path) -> Contents:
    (target / "file").write_text("content")
    return {"a.deb": "0" * 64}, {"a": "1.0"}


def test_lies_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEQX_EMULATOR", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert find_folder() == tmp_path / ".cache/imageqx-export/emulator"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert find_folder() == tmp_path / "xdg/imageqx-export/emulator"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert find_folder() == tmp_path / ".cache/imageqx-export/emulator"


def test_the_variable_names_another_place(home: Path) -> None:
    assert find_folder() == home


def test_makes_a_part_once(home: Path) -> None:
    calls: list[Path] = []

    def make(target: Path) -> Contents:
        calls.append(target)
        return fill(target)

    first, second = make_once("root", INPUTS, make), make_once("root", INPUTS, make)
    assert first == second
    assert len(calls) == 1
    assert first.files == {"a.deb": "0" * 64}
    assert first.versions == {"a": "1.0"}
    assert first.size_bytes == len("content")
    assert (name_folder("root", INPUTS) / "file").read_text() == "content"


def test_other_inputs_are_another_folder() -> None:
    other: dict[str, object] = {"packages": ["a", "c"]}
    make_once("root", INPUTS, fill)
    assert name_folder("root", INPUTS) != name_folder("root", other)
    assert read_part("root", other) is None


def test_nothing_is_left_of_a_part_that_failed(home: Path) -> None:
    def broken(target: Path) -> Contents:
        (target / "half").write_text("half")
        raise DeviceError("the download broke off")

    with pytest.raises(DeviceError, match="broke off"):
        make_once("root", INPUTS, broken)
    assert list(home.iterdir()) == []
    assert read_part("root", INPUTS) is None


def test_a_folder_without_a_record_is_no_part(home: Path) -> None:
    half = name_folder("root", INPUTS)
    half.mkdir(parents=True)
    (half / "half").write_text("half")
    assert read_part("root", INPUTS) is None
    make_once("root", INPUTS, fill)
    assert sorted(p.name for p in half.iterdir()) == [RECORD, "file"]


def test_a_record_of_an_earlier_build_is_read() -> None:
    built = make_once("root", INPUTS, fill)
    record = name_folder("root", INPUTS) / RECORD
    text = record.read_text()
    record.write_text(text.replace('"inputs"', '"recipe"'))
    assert record.read_text() != text and read_part("root", INPUTS) == built


@pytest.mark.parametrize("text", ["", "{}", '{"part": "root"', "\x00"])
def test_a_damaged_record_is_an_error_with_a_remedy(text: str) -> None:
    make_once("root", INPUTS, fill)
    (name_folder("root", INPUTS) / RECORD).write_text(text)
    with pytest.raises(DeviceError, match="damaged") as caught:
        read_part("root", INPUTS)
    assert str(name_folder("root", INPUTS)) in str(caught.value.remedy)


KILLED = """
import sys, time
from pathlib import Path
from imageqx_export.bench.emulator.cache import hold_lock, make_once

def make(folder):
    (folder / "half").write_text("half")
    print("half", flush=True)
    time.sleep(60)

with hold_lock():
    make_once("root", {"packages": ["a", "b"]}, make)
"""


def test_a_killed_build_leaves_nothing_that_looks_finished_and_no_lock(home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
    assert read_part("root", INPUTS) is None
    with pytest.raises(DeviceError, match="not built"):
        machine.load_emulator()
    with hold_lock():
        make_once("root", INPUTS, fill)
    assert sorted(p.name for p in name_folder("root", INPUTS).iterdir()) == [RECORD, "file"]
    assert [p.name for p in home.iterdir() if p.name.endswith(".part")] == []


def test_a_second_build_waits_for_the_first() -> None:
    order: list[str] = []

    def second() -> None:
        with hold_lock():
            order.append("second")

    with hold_lock():
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_an_emulator_that_was_not_built_says_how_to_build_it(home: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        machine.load_emulator()
    assert caught.value.remedy == "make emulator"
    assert caught.value.got == "without root, wheels, qemu"


def test_a_part_that_is_missing_is_named() -> None:
    inputs_by_part = machine.list_parts()
    for name in ("root", "qemu"):
        make_once(name, inputs_by_part[name], fill)
    with pytest.raises(DeviceError) as caught:
        machine.load_emulator()
    assert caught.value.got == "without wheels"


def test_gives_the_paths_of_what_was_built(home: Path) -> None:
    versions = {
        "root": {"libc6": "2.41-12", "python3.13-minimal": "3.13.5-2"},
        "wheels": {"onnxruntime": "1.0"},
        "qemu": {"qemu": "10.0.2"},
    }
    inputs_by_part = machine.list_parts()
    for name, inputs in inputs_by_part.items():
        make_once(name, inputs, lambda target, name=name: ({}, versions[name]))  # type: ignore[misc]
    emulator = machine.load_emulator()
    assert emulator.root == name_folder("root", inputs_by_part["root"]) / "root"
    assert emulator.versions == {"onnxruntime": "1.0", "qemu": "10.0.2", "libc6": "2.41-12", "python": "3.13.5-2"}
    command = emulator.command("i8mm", "-d", "plugin")
    assert command[command.index("-cpu") + 1] == "max,sve=off,sme=off,pauth=off"
    assert command[command.index("-L") + 1] == str(emulator.root)
    assert command[-2:] == ["-d", "plugin"]
    assert str(emulator.qemu) in command
    assert set(emulator.environment()) == {
        "HOME",
        "LC_ALL",
        "OMP_NUM_THREADS",
        "ORT_DISABLE_TELEMETRY",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHASHSEED",
        "PYTHONPATH",
    }

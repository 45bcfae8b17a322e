"""The history: what goes in comes out, two writers do not mix, and a torn line is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imageqx_export.artifact import Format, Precision
from imageqx_export.bench import history
from imageqx_export.bench.history import append_run, load_history, select
from imageqx_export.bench.model import BenchRun, Machine, Measurement, ProcessSample, Schedule
from imageqx_export.errors import MeasurementError
from tests.bench.strategies import relaxed, runs
from tests.bench.tiny import make_run


def run(run_id: str = "1", **fields: object) -> BenchRun:
    names = ("a.onnx", "b.tflite")
    made = tuple(
        Measurement(artifact=n, sha256="", format=Format.ONNX, precision=Precision.FP32, size_bytes=1) for n in names
    )
    base = {
        "run_id": run_id,
        "started": 0.0,
        "commit": "abc",
        "target": "host",
        "checkpoint_sha256": "",
        "machine": Machine(name="", cores=1, abi="", system=""),
        "schedule": Schedule(),
        "tool_versions": {"onnxruntime": "1", "python": "3"},
        "measurements": made,
    }
    return BenchRun.model_validate({**base, **fields})


@relaxed
@given(st.lists(runs, max_size=4))
def test_what_goes_in_comes_out(tmp_path_factory: pytest.TempPathFactory, written: list[BenchRun]) -> None:
    path = tmp_path_factory.mktemp("history") / "deeper" / "history.jsonl"
    for one in written:
        append_run(path, one)
    if written:
        assert load_history(path) == tuple(written)
        assert path.read_bytes().count(b"\n") == len(written), "one line a run"


WRITER = """
import sys
from pathlib import Path
from imageqx_export.bench.history import append_run, load_history
path, name = Path(sys.argv[1]), sys.argv[2]
base = load_history(Path(sys.argv[3]))[0]
print("ready", flush=True)
sys.stdin.readline()
for number in range(10):
    append_run(path, base.model_copy(update={"run_id": f"{name}-{number}"}))
"""


def test_two_writers_at_once_do_not_mix(tmp_path: Path) -> None:
    base, path = tmp_path / "base.jsonl", tmp_path / "history.jsonl"
    long = ProcessSample(load_seconds=1, first_seconds=1, seconds=tuple(i / 7 for i in range(40_000)))
    append_run(base, run(measurements=(run().measurements[0].model_copy(update={"samples": (long,)}),)))
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name, str(base)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    assert path.stat().st_size > 10 * 2 * 200_000, "lines long enough to be written in pieces"
    ids = [one.run_id for one in load_history(path)]
    assert sorted(ids) == sorted(f"{name}-{number}" for name in ("one", "two") for number in range(10))


@pytest.fixture
def three(tmp_path: Path) -> Path:
    path = tmp_path / "history.jsonl"
    for name in "123":
        append_run(path, run(name))
    return path


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 400))
def test_a_torn_last_line_is_told_and_refused(three: Path, cut: int) -> None:
    whole = three.read_bytes()
    torn = whole[:-cut] if whole[:-cut][-1:] != b"\n" else whole[: -cut - 1]
    path = three.with_name("torn.jsonl")
    path.write_bytes(torn)
    number = torn.count(b"\n") + 1
    for use in (load_history, lambda p: append_run(p, run("4"))):
        with pytest.raises(MeasurementError, match="cut off") as caught:
            use(path)
        assert caught.value.where == f"{path}:{number}" and f"sed -i '{number}d'" in (caught.value.remedy or "")
        assert path.read_bytes() == torn, "it is left as it was"
    subprocess.run((caught.value.remedy or "").partition(": ")[2], shell=True, check=True)
    assert [one.run_id for one in load_history(path)] == [*"123"][: number - 1], "the remedy works"
    append_run(path, run("5"))
    assert load_history(path)[-1].run_id == "5"


@pytest.mark.parametrize(
    ("line", "what", "got"),
    [
        (b"{", "not a run", "Expecting"),
        (b"[]", "another schema", "None"),
        (b"{}", "another schema", "None"),
        (b'{"schema_version": 2}', "another schema", "2"),
        (b'{"schema_version": 1}', "not a run", "run_id"),
        (run().model_dump_json().replace('"cores":1', '"cores":"x"').encode(), "not a run", "machine.cores"),
        (run().model_dump_json().replace('"commit"', '"comit"').encode(), "not a run", "commit"),
        (b"\xff\xfe", "not a run", "not UTF-8"),
    ],
)
def test_a_bad_line_is_named(three: Path, line: bytes, what: str, got: str) -> None:
    lines = three.read_bytes().split(b"\n")
    three.write_bytes(b"\n".join([lines[0], line, *lines[1:]]))
    with pytest.raises(MeasurementError, match=what) as caught:
        load_history(three)
    assert caught.value.where == f"{three}:2" and got in (caught.value.got or "")


def test_no_history(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="no such history"):
        load_history(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").touch()
    assert load_history(tmp_path / "empty.jsonl") == ()


class FullDisk:
    """A file that takes two pieces of a line and then no more."""

    def __init__(self, file: FileIO) -> None:
        self._file, self._room = file, 2
        self.seek, self.fileno = file.seek, file.fileno

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, content: memoryview) -> int:
        if not self._room:
            raise OSError(28, "No space left on device")
        self._room -= 1
        return self._file.write(content[:100])


def test_a_full_disk_leaves_what_was_there(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, opened = three.read_bytes(), Path.open

    def open_full(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        file = opened(self, mode, *rest, **more)
        return FullDisk(file) if isinstance(file, FileIO) else file

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(OSError, match="No space left"):
        append_run(three, run("4"))
    monkeypatch.undo()
    assert three.read_bytes() == before
    append_run(three, run("4"))
    assert len(load_history(three)) == 4


def test_another_writer_that_never_ends(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    monkeypatch.setattr(history, "LOCK_SECONDS", 0.1)
    with FileLock(three.with_name(".history.jsonl.lock")), pytest.raises(MeasurementError, match="holds the history"):
        append_run(three, run("4"))
    assert len(load_history(three)) == 3


def test_select() -> None:
    stored = [
        run("1"),
        run("2", target="adb:1"),
        run("3", commit="def", tool_versions={"onnxruntime": "2", "python": "3"}),
    ]

    def ids(**keys: object) -> list[str]:
        return [one.run_id for one in select(stored, **keys)]  # type: ignore[arg-type]

    assert ids() == ["1", "2", "3"]
    assert ids(target="host") == ["1", "3"] and ids(commit="abc") == ["1", "2"]
    assert ids(commit="abc", target="host") == ["1"]
    assert ids(tool_versions={"onnxruntime": "2"}) == ["3"] and ids(tool_versions={"perl": "5"}) == []
    assert ids(artifact="c") == []
    only = select(stored, artifact="b.tflite")
    assert [[m.artifact for m in one.measurements] for one in only] == [["b.tflite"]] * 3
    assert len(stored[0].measurements) == 2, "what was given is as it was"


def test_lines_are_plain_json(three: Path) -> None:
    assert [json.loads(line)["run_id"] for line in three.read_text().splitlines()] == ["1", "2", "3"]
    assert os.access(three, os.R_OK)


def test_an_older_line_says_protocol_where_a_new_one_says_schedule(tmp_path: Path) -> None:
    old = run(schedule=Schedule(threads=4)).model_dump_json().replace('"schedule"', '"protocol"')
    path = tmp_path / "history.jsonl"
    path.write_text(old + "\n")
    (read,) = load_history(path)
    assert read.schedule == Schedule(threads=4)
    append_run(path, read)
    assert path.read_text().splitlines()[1] == old.replace('"protocol"', '"schedule"')


def test_a_line_that_says_both_is_refused(tmp_path: Path) -> None:
    both = {**json.loads(run().model_dump_json()), "protocol": {}}
    path = tmp_path / "history.jsonl"
    path.write_text(json.dumps(both) + "\n")
    with pytest.raises(MeasurementError, match="a line of the history is not a run"):
        load_history(path)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('"started":1.0', '"started":1e20', "started"),
        ('"started":1.0', '"started":1e999', "not finite"),
        ('"started":1.0', '"started":NaN', "NaN"),
        ('"started":1.0', '"started":-1', "started"),
        ('"size_bytes":1', '"size_bytes":-1', "size_bytes"),
        ('"size_bytes":1', f'"size_bytes":{10**30}', "beyond 64 bits"),
        ('"cores":1', '"cores":-1', "cores"),
    ],
)
def test_numbers_that_cannot_be_are_refused_with_their_line(tmp_path: Path, old: str, new: str, place: str) -> None:
    run = make_run()
    path = tmp_path / "history.jsonl"
    append_run(path, run)
    assert load_history(path) == (run,)
    text = path.read_text()
    assert old in text
    path.write_text(text + text.replace(old, new))
    with pytest.raises(MeasurementError, match=place) as caught:
        load_history(path)
    assert caught.value.where == f"{path}:2"

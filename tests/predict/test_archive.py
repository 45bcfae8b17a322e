"""Archives: a row a photo in one table, whatever stopped the run in between, and wherever photos and table are."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from imageqx_export.errors import DatasetError, FetchError, ImageQXError, PhotoError, StoppedError, UnknownNameError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.predict.archive.engines import choose_engine
from imageqx_export.predict.archive.rows import Rows, collect_rows
from imageqx_export.predict.archive.stage import Block, OpenModel, assess_archive, cut_blocks
from imageqx_export.predict.batch import Assessment
from tests.conftest import Cli
from tests.predict.test_verdict import FakeRuntime

ABSENT = PhotoError("no")
MODEL = OpenModel(Path("model.onnx"), "0" * 64, FakeRuntime([0, 0, 0, 1], [0] * 5), spec())


class Clerk:
    """An engine that says of every photo that it is not there, backwards, and stops after some blocks."""

    def __init__(self, most: int = 10**6) -> None:
        self.most, self.assessed = most, list[str]()

    def __call__(self, blocks: Sequence[Block], model: OpenModel) -> Iterator[tuple[Block, Rows]]:
        for index, block in enumerate(reversed(blocks)):
            if index == self.most:
                raise StoppedError("stopped")
            self.assessed += block.photos
            told = [
                Assessment(photo, FetchError("no", got="403") if "far" in photo else ABSENT) for photo in block.photos
            ]
            yield block, collect_rows(told, model.spec)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine photos of rising brightness, of which the third is empty, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(9):
        Image.new("RGB", (40, 30), (index * 25,) * 3).save(folder / f"{index}.png")
    (folder / "2.png").write_bytes(b"")
    (folder / "notes.txt").touch()
    return folder


def test_a_table_has_the_rows_that_json_prints(folder: Path, cli: Cli) -> None:
    lines = [json.loads(line) for line in cli("predict", folder, "--json").stdout.splitlines()]
    out = folder.parent / "verdicts.parquet"
    done = cli("predict", folder, "--out", out)
    assert done.returncode == 1
    assert done.stdout == f"{out}: 9 photos; {sum(bool(line.get('retake')) for line in lines)} to take again\n"
    assert "1 of 9 photos could not be read" in done.stderr and "1 × no photo's name: .txt" in done.stderr
    assert without_nulls(pq.read_table(out).to_pylist()) == lines[:-1]
    assert sorted(folder.parent.iterdir()) == [folder, out]


def test_photos_and_table_at_addresses(folder: Path, cli: Cli) -> None:
    with zipfile.ZipFile(folder.parent / "all.zip", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"in/{path.name}")
    memory = fsspec.filesystem("memory")
    for path in folder.iterdir():
        memory.pipe_file(f"/archive/{path.name}", path.read_bytes())
    try:
        cli("predict", folder, "--out", folder.parent / "near.parquet")
        near = pq.read_table(folder.parent / "near.parquet")
        for source, head, tail in (
            (f"zip://in/*::{folder.parent}/all.zip", "zip://in/", f"::{folder.parent}/all.zip"),
            ("memory://archive", "memory://archive/", ""),
        ):
            done = cli("predict", source, "--out", "memory://out/far.parquet", "--json")
            printed = json.loads(done.stdout)
            assert (printed["photos"], printed["unreadable"], printed["left_out"]) == (
                9,
                1,
                {"no photo's name: .txt": 1},
            )
            far = pq.read_table(pa.BufferReader(memory.cat_file("/out/far.parquet")))
            assert far["photo"].to_pylist() == [f"{head}{index}.png{tail}" for index in range(9)]
            assert far.drop_columns("photo") == near.drop_columns("photo")
            assert memory.find("/out") == ["/out/far.parquet"]
    finally:
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]


def test_what_is_not_there_or_unknown_says_so(folder: Path, cli: Cli) -> None:
    lines = cli("predict", "memory://nothing/a.jpg", "--json").stdout
    assert json.loads(lines) == {"photo": "memory://nothing/a.jpg", "error": {"what": "there is no such photo"}}
    refused = cli("predict", "nosuch://bucket", "--json")
    assert refused.returncode == 1 and "the address cannot be used" in refused.stderr and "nosuch" in refused.stderr
    refused = cli("predict", "http://localhost:1/a.jpg?sig=secret", "--out", folder.parent / "a.parquet")
    assert refused.returncode == 1 and "1 of 1 photos could not be fetched" in refused.stderr
    assert "localhost:1/a.jpg?sig=…" in refused.stderr and "secret" not in refused.stderr
    refused = cli("predict", "memory://nothing/a.jpg", "--html", folder.parent / "sheet")
    assert refused.returncode == 1 and "no picture is drawn of a photo at an address" in refused.stderr


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    photos, out = [f"{index:04}.jpg" for index in range(300)], tmp_path / "a.parquet"
    first, second = Clerk(most=11), Clerk()
    with pytest.raises(StoppedError):
        assess_archive(photos, MODEL, str(out), first)
    assert not out.exists() and len(list((tmp_path / "a.parquet.parts").iterdir())) == 11
    summary = assess_archive(photos, MODEL, str(out), second)
    assert sorted(first.assessed + second.assessed) == photos
    assert (summary.photos, summary.unreadable.count, summary.kept) == (300, 300, len(first.assessed))
    assert pq.read_table(out)["photo"].to_pylist() == photos
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    "other",
    [
        replace(MODEL, sha256="1" * 64),
        replace(MODEL, spec=MODEL.spec.model_copy(update={"thresholds": {**MODEL.spec.thresholds, "blurry": 0.9}})),
    ],
)
def test_rows_of_another_model_or_thresholds_are_not_taken(tmp_path: Path, other: OpenModel) -> None:
    photos, out = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"], str(tmp_path / "a.parquet")
    with pytest.raises(StoppedError):
        assess_archive(photos, other, out, Clerk(most=1))
    clerk = Clerk()
    assess_archive(photos, MODEL, out, clerk)
    assert sorted(clerk.assessed) == photos


def test_an_archive_that_grows_at_its_end_keeps_its_blocks() -> None:
    before = cut_blocks([f"{index}.jpg" for index in range(1100)], MODEL)
    after = cut_blocks([f"{index}.jpg" for index in range(1200)], MODEL)
    assert [block.name for block in after][: len(before) - 1] == [block.name for block in before][:-1]
    assert {len(block.photos) for block in before} == {16, 1100 % 16}


def test_a_damaged_part_is_a_sentence(tmp_path: Path) -> None:
    photos, out = ["a.jpg"] * 9, tmp_path / "a.parquet"
    with pytest.raises(StoppedError):
        assess_archive(photos, MODEL, str(out), Clerk(most=1))
    (part,) = (tmp_path / "a.parquet.parts").iterdir()
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(DatasetError, match="a part of the table is damaged"):
        assess_archive(photos, MODEL, str(out), Clerk())
    assert not out.exists()
    part.unlink()
    assert assess_archive(photos, MODEL, str(out), Clerk()).photos == 9


def test_what_could_not_be_fetched_is_asked_for_again(tmp_path: Path) -> None:
    out = tmp_path / "a.parquet"
    photos = [f"s3://b/{'far' if index in (5, 6) else index}.jpg" for index in range(40)]
    with pytest.raises(DatasetError, match="2 of 40 photos could not be fetched") as caught:
        assess_archive(photos, MODEL, str(out), Clerk())
    assert caught.value.where == "s3://b/far.jpg, s3://b/far.jpg" and caught.value.got == "403"
    assert "the same command, which goes on from there" in str(caught.value)
    assert not out.exists() and len(list((tmp_path / "a.parquet.parts").iterdir())) == 9
    clerk = Clerk()
    with pytest.raises(DatasetError):
        assess_archive(photos, MODEL, str(out), clerk)
    assert clerk.assessed == photos[4:8]


def test_a_place_of_another_kind_is_found_before_judging(tmp_path: Path) -> None:
    memory, clerk = fsspec.filesystem("memory"), Clerk()
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "a.parquet.parts").touch()
    memory.pipe_file("/kinds/folder.parquet/x", b"")
    memory.pipe_file("/kinds/a.parquet.parts", b"")
    try:
        for place in (str(tmp_path), f"file://{tmp_path}", f"local://{tmp_path}", "memory://kinds"):
            with pytest.raises(ImageQXError, match="the output is not a file"):
                assess_archive(["a.jpg"], MODEL, f"{place}/folder.parquet", clerk)
            with pytest.raises(DatasetError, match="the parts of the table have no place"):
                assess_archive(["a.jpg"], MODEL, f"{place}/a.parquet", clerk)
    finally:
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]
    assert not clerk.assessed


def test_a_table_at_a_local_address_is_written_as_a_file_is(tmp_path: Path) -> None:
    out = tmp_path / "a.parquet"
    out.write_bytes(b"the table before")
    with out.open("rb") as reader:  # half of the new one is seen by nobody
        assess_archive(["a.jpg"], MODEL, f"file://{out}", Clerk())
        assert reader.read() == b"the table before"
    assert pq.read_table(out).num_rows == 1 and list(tmp_path.iterdir()) == [out]


def test_what_is_no_part_stays(tmp_path: Path) -> None:
    parts = tmp_path / "a.parquet.parts"
    parts.mkdir()
    for name in ("mine.txt", "theirs.parquet"):
        (parts / name).touch()
    assess_archive(["a.jpg"], MODEL, str(tmp_path / "a.parquet"), Clerk())
    assert sorted(parts.iterdir()) == [parts / "mine.txt", parts / "theirs.parquet"]


@pytest.mark.parametrize("remote", [False, True])
def test_parts_of_another_run_stay(tmp_path: Path, remote: bool) -> None:
    memory = fsspec.filesystem("memory")
    out = "memory://other/a.parquet" if remote else str(tmp_path / "a.parquet")
    try:
        with pytest.raises(StoppedError):
            assess_archive(["a.jpg"] * 9, MODEL, out, Clerk(most=1))
        assess_archive(["b.jpg"] * 9, MODEL, out, Clerk())
        left = memory.find("/other/a.parquet.parts") if remote else list((tmp_path / "a.parquet.parts").iterdir())
        assert len(left) == 1
        assert assess_archive(["a.jpg"] * 9, MODEL, out, Clerk()).kept > 0
        assert memory.find("/other") == ["/other/a.parquet"] if remote else list(tmp_path.iterdir()) == [Path(out)]
    finally:
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]


def test_a_block_of_other_files_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("a.jpg", "b.jpg"):
            (tmp_path / folder / name).write_bytes(b"1")
            os.utime(tmp_path / folder / name, ns=(5, 5))

    def name_block(*photos: str | Path) -> str:
        (block,) = cut_blocks(photos, MODEL)
        return block.name

    monkeypatch.chdir(tmp_path / "one")
    before = name_block("a.jpg", "b.jpg")
    assert name_block("a.jpg", "b.jpg") == before
    names = [before, name_block("a.jpg", tmp_path / "one" / "b.jpg")]  # a row has the name as given
    os.utime("b.jpg", ns=(5, 6))
    names.append(name_block("a.jpg", "b.jpg"))
    Path("b.jpg").write_bytes(b"22")
    os.utime("b.jpg", ns=(5, 5))
    names.append(name_block("a.jpg", "b.jpg"))
    Path("b.jpg").unlink()
    names.append(name_block("a.jpg", "b.jpg"))
    monkeypatch.chdir(tmp_path / "two")
    names.append(name_block("a.jpg", "b.jpg"))
    assert len(set(names)) == 6
    assert name_block("s3://b/a.jpg", "\0.jpg") == name_block("s3://b/a.jpg", "\0.jpg")


def test_a_name_that_is_not_utf8_is_written_as_it_is_printed(tmp_path: Path) -> None:
    assess_archive([Path(os.fsdecode(b"\xff.jpg"))], MODEL, str(tmp_path / "a.parquet"), Clerk())
    assert pq.read_table(tmp_path / "a.parquet")["photo"].to_pylist() == ["\\udcff.jpg"]


@pytest.mark.parametrize("name", ["", "dask", "ray:", "threads:2", "Ray"])
def test_unknown_engines(name: str) -> None:
    with pytest.raises(UnknownNameError, match="one of threads, ray, ray:ADDRESS"):
        choose_engine(name)


def test_options_that_do_not_fit(folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "add --out verdicts.parquet" in cli("predict", folder, "--engine", "ray").stderr
    assert "--attention or --html" in cli("predict", folder, "--out", "a.parquet", "--html", "b").stderr
    assert "ends in .parquet" in cli("predict", folder, "--out", "a.csv").stderr
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused = cli("predict", folder, "--out", "a.parquet", "--engine", "ray")
    assert refused.returncode == 1 and "ray is not installed" in refused.stderr
    assert "pip install 'imageqx-export[ray]'" in refused.stderr

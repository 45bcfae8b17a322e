"""Archives whose parts somebody else deletes, as another run of the same command does at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import fsspec
import pytest

from imageqx_export.errors import DatasetError
from imageqx_export.predict.archive.rows import Rows
from imageqx_export.predict.archive.stage import Block, OpenModel, assess_archive
from imageqx_export.support import files, locks
from tests.predict.test_archive import MODEL, Clerk

PHOTOS = [f"{index}.jpg" for index in range(9)]
"""Three blocks' photos, of which the last is one alone."""


@pytest.mark.parametrize("remote", [False, True])
def test_a_run_goes_on_when_another_of_the_same_command_deletes_the_parts(tmp_path: Path, remote: bool) -> None:
    memory, clerk = fsspec.filesystem("memory"), Clerk()
    out = "memory://twice/a.parquet" if remote else str(tmp_path / "a.parquet")
    done = 0

    @contextmanager
    def progress(description: str, total: int) -> Iterator[Callable[[], None]]:
        def advance() -> None:
            nonlocal done
            done += 1
            if done == 3:  # with two parts written, and one to come
                assess_archive(PHOTOS, MODEL, out, Clerk())

        yield advance

    try:
        summary = assess_archive(PHOTOS, MODEL, out, clerk, progress=progress)
        assert (summary.photos, len(clerk.assessed)) == (9, 9 + 5)  # the last block was written after that
        assert summary.kept == 0, "what this run wrote, it did not find"
        assert memory.find("/twice") == ["/twice/a.parquet"] if remote else list(tmp_path.iterdir()) == [Path(out)]
    finally:
        memory.store.clear()


def test_a_folder_that_goes_while_a_part_is_begun_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear, taken = locks.clear_dead, list[Path]()

    def take_away(folder: Path, *names: str) -> None:
        if not taken and folder.name == "a.parquet.parts":
            taken.append(folder)
            folder.rmdir()
        clear(folder, *names)

    monkeypatch.setattr(files, "clear_dead", take_away)
    assert assess_archive(PHOTOS, MODEL, str(tmp_path / "a.parquet"), Clerk()).photos == 9 and taken


def test_parts_that_vanish_again_and_again_are_a_sentence(tmp_path: Path) -> None:
    parts = tmp_path / "a.parquet.parts"

    def engine(blocks: Sequence[Block], model: OpenModel) -> Iterator[tuple[Block, Rows]]:
        for part in parts.glob("*"):
            part.unlink()
        yield from Clerk()(blocks[:1], model)

    with pytest.raises(DatasetError, match="parts of the table vanish"):
        assess_archive(PHOTOS, MODEL, str(tmp_path / "a.parquet"), engine)


def test_a_part_that_cannot_be_fetched_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What libraries of such places raise when the network fails is no OSError."""
    memory = fsspec.filesystem("memory")

    def fail(path: str) -> bytes:
        raise RuntimeError(f"no way to {path}")

    try:
        with monkeypatch.context() as patch:
            patch.setattr(memory, "cat_file", fail)
            with pytest.raises(DatasetError, match="the address cannot be used") as error:
                assess_archive(PHOTOS, MODEL, "memory://broken/a.parquet", Clerk())
        assert error.value.got is not None and "no way to /broken/a.parquet.parts/" in error.value.got
        clerk = Clerk()
        assert assess_archive(PHOTOS, MODEL, "memory://broken/a.parquet", clerk).kept == 9 and not clerk.assessed
    finally:
        memory.store.clear()

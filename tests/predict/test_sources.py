"""What a person names, made a list of photos."""

from __future__ import annotations

import os
from pathlib import Path

import fsspec
import pytest

from imageqx_export.errors import DatasetError
from imageqx_export.predict.sources import gather_photos


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.JPG", "a.heic", "notes.txt", "sub/deep/c.png", "sub/._c.png", "sub/Thumbs.db", "[1].jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*sources: str, listed: bytes = b"") -> list[str]:
    return [str(path) for path in gather_photos(sources, lambda: listed).photos]


def test_a_file_counts_whatever_it_is_called_and_even_if_it_is_not_there(folder: Path) -> None:
    assert names("notes.txt", "none.jpg", "b.JPG", "b.JPG") == ["notes.txt", "none.jpg", "b.JPG", "b.JPG"]


def test_a_name_that_is_too_long_stops_nothing(folder: Path) -> None:
    line = "x" * 300
    assert names("-", listed=line.encode()) == [line]


def test_a_folder_has_its_photos_and_says_what_else_it_has(folder: Path) -> None:
    found = gather_photos([str(folder)])
    assert [str(Path(path).relative_to(folder)) for path in found.photos] == [
        "[1].jpg",
        "a.heic",
        "b.JPG",
        "sub/deep/c.png",
    ]
    assert found.left_out == {"a system's own file": 1, "no photo's name: .txt": 1, "resource fork of macOS": 1}


def test_patterns_are_expanded_where_no_shell_did(folder: Path) -> None:
    assert names("*.[jJ]*") == ["[1].jpg", "b.JPG"]
    assert names("sub/**/*.png") == ["sub/deep/c.png"]
    assert names(f"{folder}/?.heic") == [f"{folder}/a.heic"]
    assert names("[1].jpg") == ["[1].jpg"]  # a file of that name is no pattern
    assert names("*.gif") == ["*.gif"]  # which is then told as a photo that is not there
    found = gather_photos(["*"])
    assert [str(path) for path in found.photos] == ["[1].jpg", "a.heic", "b.JPG", "sub/deep/c.png"]
    assert found.left_out["no photo's name: .txt"] == 1


@pytest.mark.parametrize("listed", [b"b.JPG\nsub\n", b"b.JPG\r\n\r\nsub", b"b.JPG\0sub\0"])
def test_standard_input_has_names(folder: Path, listed: bytes) -> None:
    assert names("a.heic", "-", listed=listed) == ["a.heic", "b.JPG", "sub/deep/c.png"]


def test_names_on_standard_input_are_no_patterns_and_of_any_bytes(folder: Path) -> None:
    assert names("-", listed=b"*.JPG\n a.jpg\n\xff.jpg\n") == ["*.JPG", " a.jpg", os.fsdecode(b"\xff.jpg")]
    assert names("-", listed=b"two\nlines.jpg\0") == ["two\nlines.jpg"]


@pytest.mark.parametrize("sources", [["-"], ["sub/Thumbs*"]])
def test_no_photo_at_all_is_an_error(folder: Path, sources: list[str]) -> None:
    with pytest.raises(DatasetError, match="no photo"):
        gather_photos(sources)


def test_addresses_are_listed_as_folders_are() -> None:
    memory = fsspec.filesystem("memory")
    for name in ("b.JPG", "a.heic", "notes.txt", "sub/deep/c.png", "sub/._c.png"):
        memory.pipe_file(f"/listed/{name}", b"")
    try:
        found = gather_photos(["memory://listed", "memory://listed/notes.txt", "memory://listed/?.heic"])
        head = "memory://listed"
        assert found.photos == (
            *(f"{head}/a.heic", f"{head}/b.JPG", f"{head}/sub/deep/c.png"),
            *("memory://listed/notes.txt", f"{head}/a.heic"),
        )
        assert found.left_out == {"no photo's name: .txt": 1, "resource fork of macOS": 1}
        assert names("-", listed=b"memory://listed/sub\n") == [f"{head}/sub/deep/c.png"]
    finally:
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]

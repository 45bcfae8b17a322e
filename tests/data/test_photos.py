"""What is a photo in a folder, and what is passed over, by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imageqx_export.data.photos import SUFFIXES, find_photos, list_photos

PHOTOS = ("IMG_1.HEIC", "a.jpg", "deep/b.JFIF", "deep/er/c.avif", "d.gif", "e.tiff")
OTHERS = {
    "__MACOSX/._a.jpg": "resource fork of macOS",
    "deep/._b.JFIF": "resource fork of macOS",
    "deep/Thumbs.db": "a system's own file",
    ".DS_Store": "a system's own file",
    ".thumbnails/f.png": "hidden",
    ".hidden.jpg": "hidden",
    "notes.txt": "no photo's name: .txt",
    "clip.MOV": "no photo's name: .mov",
    "README": "no photo's name: without an ending",
}


def test_photos_are_found_and_the_rest_is_counted_by_reason(tmp_path: Path) -> None:
    for name in (*PHOTOS, *OTHERS):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    found = list_photos(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in found.photos) == sorted(PHOTOS)
    assert sum(found.left_out.values()) == len(OTHERS)
    assert found.left_out == {reason: list(OTHERS.values()).count(reason) for reason in sorted(set(OTHERS.values()))}


def test_a_folder_below_a_hidden_one_is_not_hidden(tmp_path: Path) -> None:
    root = tmp_path / ".cache" / "photos"
    root.mkdir(parents=True)
    (root / "a.jpg").write_bytes(b"")
    assert find_photos(root) == [root / "a.jpg"]


def test_every_ending_is_written_in_lower_case() -> None:
    assert all(ending == ending.lower() and ending.startswith(".") for ending in SUFFIXES)


def test_a_folder_that_may_not_be_opened_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.jpg", "closed/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scandir = os.scandir

    def refuse(path: str) -> object:  # root may open everything
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list_photos(tmp_path)
    assert found.photos == (tmp_path / "a.jpg",) and found.left_out == {"folder that may not be opened": 1}
    assert list_photos(tmp_path / "none") == ((), {})

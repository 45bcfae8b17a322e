"""Folders of photos: splits that keep groups together, and files that are left out."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from imageqx_export.data.folder import PhotoFolder, count_files, cutout, read_folder
from imageqx_export.data.synthetic import SceneClass
from imageqx_export.errors import DatasetError

Array = NDArray[Any]

CLASSES: tuple[SceneClass, ...] = get_args(SceneClass)
Groups = dict[str, str]


def photo(path: Path, width: int = 16, height: int = 16, color: Any = (200, 150, 120)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), color).save(path)


def folder(root: Path, groups: Groups, encoding: str = "utf-8") -> Path:
    for name in groups:
        photo(root / name)
    with (root / "manifest.csv").open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file)
        writer.writerow(["file", "group"])
        writer.writerows(groups.items())
    return root


def both(root: Path) -> tuple[PhotoFolder, PhotoFolder]:
    return read_folder(root, "train", min_side=8), read_folder(root, "val", min_side=8)


def groups_of(side: PhotoFolder, groups: Groups, labels: tuple[SceneClass, ...] = CLASSES) -> set[str]:
    return {groups[name] for label in labels for name in side.names[label]}


@settings(max_examples=25, deadline=None)
@given(st.fixed_dictionaries({label: st.lists(st.integers(0, 7), min_size=1, max_size=12) for label in CLASSES}))
def test_groups_are_never_split(tmp_path_factory: pytest.TempPathFactory, drawn: dict[SceneClass, list[int]]) -> None:
    groups = {
        f"{label}/{number}.png": f"{label} patient {group}"
        for label, members in drawn.items()
        for number, group in enumerate(members)
    }
    train, val = both(folder(tmp_path_factory.mktemp("groups"), groups))
    for label, members in drawn.items():
        assert sorted(train.names[label] + val.names[label]) == sorted(n for n in groups if n.startswith(f"{label}/"))
        assert not groups_of(train, groups, (label,)) & groups_of(val, groups, (label,))
        held_out = len(groups_of(val, groups, (label,)))
        assert held_out == (0 if len(set(members)) == 1 else 1)  # a fifth of at most 8, at least one
    assert train.counts() == {label: len(train.names[label]) for label in CLASSES}


def test_a_patient_with_two_classes_is_never_split(tmp_path: Path) -> None:
    members = {"lesion": range(12), "healthy_skin": range(4, 30), "no_skin": range(40, 60)}
    groups = {f"{label}/{n}.png": f"patient {n}" for label, numbers in members.items() for n in numbers}
    train, val = both(folder(tmp_path, groups))
    assert groups_of(val, groups) and not groups_of(train, groups) & groups_of(val, groups)


def test_about_a_fifth_is_held_out_and_stays_so(tmp_path: Path) -> None:
    for label in CLASSES:
        for number in range(25):
            photo(tmp_path / label / "deep" / f"{number}.jpg")
    train, val = both(tmp_path)
    assert all(len(val.names[label]) == 5 and len(train.names[label]) == 20 for label in CLASSES)
    again = both(tmp_path)
    assert (train.names, val.names) == (again[0].names, again[1].names)
    assert count_files(tmp_path) == 75


def test_of_few_groups_the_smallest_is_held_out(tmp_path: Path) -> None:
    groups = {f"{label}/{n}.png": "big" if n < 6 else "small" for label in CLASSES for n in range(8)}
    train, val = both(folder(tmp_path, groups))
    assert groups_of(train, groups) == {"big"} and groups_of(val, groups) == {"small"}


def test_spreadsheets_write_a_byte_order_mark(tmp_path: Path) -> None:
    groups = {f"{label}/{n}.png": f"{label} {n // 5}" for label in CLASSES for n in range(10)}
    train, val = both(folder(tmp_path, groups, encoding="utf-8-sig"))
    assert not groups_of(train, groups) & groups_of(val, groups)


def test_photos_that_are_no_use_are_counted(tmp_path: Path) -> None:
    for label in CLASSES:
        for number in range(3):
            photo(tmp_path / label / f"{number}.png", 170, 160)
    photo(tmp_path / "lesion" / "narrow.jpg", 400, 159)
    photo(tmp_path / "no_skin" / "tiny.jpg")
    (tmp_path / "lesion" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (tmp_path / "lesion" / "empty.PNG").touch()
    (tmp_path / "lesion" / "notes.txt").write_text("not a photo")
    seen: list[int] = []
    train = read_folder(tmp_path, "train", lambda: seen.append(1), min_side=160)
    assert train.skipped == {"unreadable": 2, "under 160 px": 2}
    assert len(seen) == count_files(tmp_path) == 9 + 4
    assert train.counts() == dict.fromkeys(CLASSES, 2)


def test_large_photos_are_shrunk_in_proportion(tmp_path: Path) -> None:
    for label in CLASSES:
        photo(tmp_path / label / "wide.png", 1152, 768, (10, 20, 30))
    train = read_folder(tmp_path, "train")
    assert {picture.shape for label in CLASSES for picture in train.images[label]} == {(192, 288, 3)}
    drawn, mask = train.draw(np.random.default_rng(0), "lesion")
    assert drawn.dtype == np.uint8 and (drawn == (10, 20, 30)).all() and mask is None
    assert train.has("lesion") and not read_folder(tmp_path, "val").has("lesion")


@pytest.mark.parametrize("missing", CLASSES)
def test_a_class_without_photos(tmp_path: Path, missing: str) -> None:
    for label in CLASSES:
        if label != missing:
            photo(tmp_path / label / "one.png", 200, 200)
    with pytest.raises(DatasetError) as caught:
        read_folder(tmp_path, "train")
    assert caught.value.where == str(tmp_path / missing)
    photo(tmp_path / missing / "small.png")
    with pytest.raises(DatasetError, match="1 files, none usable"):
        read_folder(tmp_path, "train")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        read_folder(tmp_path / "none", "train")
    photo(tmp_path / "file.png")
    with pytest.raises(DatasetError):
        read_folder(tmp_path / "file.png", "train")


def hand(seed: int, behind: tuple[int, int, int]) -> tuple[Array, Array]:
    """Draw a disc of skin in front of a plain wall with a little noise, and tell where it is."""
    ys, xs = np.mgrid[0:200, 0:240]
    inside = np.hypot(xs - 120, ys - 110) < 60
    picture = np.where(inside[..., None], (205, 150, 120), behind)
    return np.clip(picture + np.random.default_rng(seed).normal(0, 3, picture.shape), 0, 255).astype(np.uint8), inside


@pytest.mark.parametrize("behind", [(30, 60, 140), (20, 90, 40), (235, 235, 240)])
def test_a_subject_is_cut_out_of_a_plain_background(behind: tuple[int, int, int]) -> None:
    picture, inside = hand(1, behind)
    mask = cutout(picture)
    assert mask is not None and mask.shape == inside.shape and mask.min() >= 0 and mask.max() <= 1
    overlap = ((mask > 0.5) & inside).sum() / ((mask > 0.5) | inside).sum()
    assert overlap > 0.9


def test_a_background_that_is_not_plain_is_left_alone() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (200, 240, 3), dtype=np.uint8)
    assert cutout(noise) is None
    assert cutout(np.full((200, 240, 3), 128, np.uint8)) is None  # nothing in front of it

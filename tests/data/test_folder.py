"""Folders of photos: what is known of a photo, and which files are left out; splits have a file of their own."""

from __future__ import annotations

import csv
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageqx_export.data.bank import PHOTO, SIDE
from imageqx_export.data.folder import PhotoFolder, read_folder
from imageqx_export.data.labels import SPLITS, Split
from imageqx_export.data.synthetic import SceneClass
from imageqx_export.data.vocabulary import LABELS
from imageqx_export.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Array = NDArray[Any]

CLASSES: tuple[SceneClass, ...] = get_args(SceneClass)
Groups = dict[str, str]


def photo(path: Path, width: int = 16, height: int = 16, color: Any = (200, 150, 120)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), color).save(path)


def manifest(root: Path, rows: list[tuple[str, ...]], encoding: str = "utf-8") -> None:
    with (root / "manifest.csv").open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows(rows)


def folder(root: Path, groups: Groups, encoding: str = "utf-8") -> Path:
    for name in groups:
        photo(root / name)
    manifest(root, [("file", "group"), *groups.items()], encoding)
    return root


def read(root: Path) -> PhotoFolder:
    return read_folder(root, min_side=8)


def sides_of(found: PhotoFolder, groups: Groups) -> dict[str, set[Split]]:
    """Say on which sides each group's photos are."""
    sides: dict[str, set[Split]] = {}
    for name, split in zip(found.names, found.splits, strict=True):
        sides.setdefault(groups[name], set()).add(split)
    return sides


def test_without_a_manifest_each_file_is_a_group_of_its_own(tmp_path: Path) -> None:
    for label in CLASSES:
        for number in range(20):
            photo(tmp_path / label / "deep" / f"{number}.jpg")
    found = read(tmp_path)
    assert all(
        found.counts(split) == dict.fromkeys(CLASSES, n)
        for split, n in zip(SPLITS, (14, 3, 3), strict=True)  # 15 % of 20
    )
    again = read(tmp_path)
    assert (again.names, again.splits) == (found.names, found.splits)
    assert found.names[0] == "lesion/deep/0.jpg" and found.root == tmp_path


def test_a_side_has_its_photos_and_their_labels(tmp_path: Path) -> None:
    """Each photo is of a grey of its own, so that pixels tell which file they are."""
    greys = {f"{label}/{n}.png": 10 + 30 * i + 3 * n for i, label in enumerate(CLASSES) for n in range(8)}
    for name, grey in greys.items():
        photo(tmp_path / name, color=(grey,) * 3)
    found = read(tmp_path)
    for split in SPLITS:
        side = found.side(split)
        own = [name for name, on in zip(found.names, found.splits, strict=True) if on == split]
        assert [int(image[0, 0, 0]) for image in side.images] == [greys[name] for name in own]
        assert [LABELS[quality] for quality in side.quality] == [name.split("/")[0] for name in own]
        assert Counter(LABELS[quality] for quality in side.quality) == found.counts(split)
    assert set(found.bank.origin) == {PHOTO} and not found.bank.reasons.any()


# The manifest


def test_skin_types_are_those_of_the_manifest(tmp_path: Path) -> None:
    cells = ["1", "6", "3.0", "", "0", "7", "-2", "IV", "nan", "inf", " 2 "]
    for label in CLASSES:
        for number in range(len(cells)):
            photo(tmp_path / label / f"{number}.png")
    rows = [(f"lesion/{number}.png", f"patient {number}", cell) for number, cell in enumerate(cells)]
    manifest(tmp_path, [("file", "group", "fitzpatrick"), *rows])
    found = read(tmp_path)
    types = dict(zip(found.names, found.bank.fitzpatrick.tolist(), strict=True))
    assert [types[f"lesion/{number}.png"] for number in range(len(cells))] == [1, 6, 3, 0, 0, 0, 0, 0, 0, 0, 2]
    assert not any(types[f"no_skin/{number}.png"] for number in range(len(cells)))


@pytest.mark.parametrize("columns", [("group", "file", "path"), ("file", "licence", "group")])
def test_other_columns_and_other_orders(tmp_path: Path, columns: tuple[str, ...]) -> None:
    groups = {f"{label}/{n}.png": f"{label} {n // 2}" for label in CLASSES for n in range(10)}
    for name in groups:
        photo(tmp_path / name)
    rows = [
        tuple({"file": name, "group": group}.get(column, "x") for column in columns) for name, group in groups.items()
    ]
    manifest(tmp_path, [columns, *rows])
    found = read(tmp_path)
    assert all(len(sides) == 1 for sides in sides_of(found, groups).values())
    assert found.counts("test") == dict.fromkeys(CLASSES, 2)  # one group of two


def test_a_group_stays_on_the_side_that_the_manifest_says(tmp_path: Path) -> None:
    """So that what tested weights tests what goes on from them; the other groups are split as ever."""
    groups = {f"{label}/{n}.png": f"{label} {n // 2}" for label in CLASSES for n in range(20)}
    free = read(folder(tmp_path / "free", groups))
    held: dict[str, Split] = {"healthy_skin 3": "test", "healthy_skin 4": "val", "lesion 0": "train"}
    rows = [(name, group, held.get(group, "") if int(name[-5]) % 2 else "") for name, group in groups.items()]
    root = folder(tmp_path / "held", groups)
    manifest(root, [("file", "group", "split"), *rows])  # one row of a group says enough
    found = sides_of(read(root), groups)
    assert {group: found[group] for group in held} == {group: {side} for group, side in held.items()}
    assert all(len(sides) == 1 for sides in found.values())
    other = {group: sides for group, sides in found.items() if group.startswith("no_skin")}
    assert other == {group: sides for group, sides in sides_of(free, groups).items() if group in other}


@pytest.mark.parametrize("cells", [("train", "test"), ("valid", "valid")])
def test_a_group_on_two_sides_or_on_none_is_refused(tmp_path: Path, cells: tuple[str, str]) -> None:
    groups = {f"{label}/{n}.png": f"{label} {n // 2}" for label in CLASSES for n in range(10)}
    root = folder(tmp_path, groups)
    rows = [(name, group, cells[int(name[-5]) % 2] if group == "lesion 1" else "") for name, group in groups.items()]
    manifest(root, [("file", "group", "split"), *rows])
    with pytest.raises(DatasetError, match="the manifest's split cannot be used") as caught:
        read(root)
    assert caught.value.got == f"{cells[1]} for lesion 1" and "manifest.csv: lesion/" in str(caught.value.where)


def test_a_photo_without_a_group_is_its_own(tmp_path: Path) -> None:
    groups = {f"{label}/{n}.png": "" if n else "one" for label in CLASSES for n in range(20)}
    found = read(folder(tmp_path, groups))
    assert {found.counts("test")[label] for label in CLASSES} == {3}


def test_spreadsheets_write_a_byte_order_mark(tmp_path: Path) -> None:
    groups = {f"{label}/{n}.png": f"{label} {n // 5}" for label in CLASSES for n in range(20)}
    found = read(folder(tmp_path, groups, encoding="utf-8-sig"))
    assert all(len(sides) == 1 for sides in sides_of(found, groups).values())
    assert found.counts("test") == found.counts("val") == dict.fromkeys(CLASSES, 5)


@pytest.mark.parametrize("header", [("path", "group"), ("file|group",), ("File", "Group")])
def test_a_manifest_without_its_columns_is_refused(tmp_path: Path, header: tuple[str, ...]) -> None:
    """Reading on would put each file into a group of its own, and one patient's photos on two sides."""
    for label in CLASSES:
        photo(tmp_path / label / "one.png")
    manifest(tmp_path, [header, ("lesion/one.png", "a")[: len(header)]])
    with pytest.raises(DatasetError, match="file: the column is missing") as caught:
        read(tmp_path)
    assert caught.value.where == str(tmp_path / "manifest.csv")


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not UTF-8"):
        read(folder(tmp_path, {f"{label}/ä.png": "Müller" for label in CLASSES}, encoding="latin-1"))


# Files that are left out


def test_photos_that_are_no_use_are_counted(tmp_path: Path) -> None:
    for label in CLASSES:
        for number in range(3):
            photo(tmp_path / label / f"{number}.png", 110, 100)
    photo(tmp_path / "lesion" / "narrow.jpg", 400, 95)
    photo(tmp_path / "no_skin" / "tiny.jpg")
    photo(tmp_path / "no_skin" / "just.JPG", 96, 300)
    (tmp_path / "lesion" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (tmp_path / "lesion" / "empty.PNG").touch()
    (tmp_path / "lesion" / "notes.txt").write_text("not a photo")
    seen: list[str] = []

    @contextmanager
    def counting(description: str, total: int) -> Iterator[Callable[[], None]]:
        seen.append(f"{description}: {total}")
        yield lambda: seen.append("one")

    found = read_folder(tmp_path, progress=counting)
    assert found.skipped == {"unreadable": 2, "under 96 px": 2, "no photo's name: .txt": 1}
    assert seen == ["reading photos: 14", *["one"] * 14]
    assert len(found.names) == len(found.splits) == len(found.bank) == 10 and "no_skin/just.JPG" in found.names


def test_a_photo_is_stretched_to_the_models_frame(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 400).astype(np.uint8)[None, :, None], (300, 1, 3))
    for label in CLASSES:
        (tmp_path / label).mkdir()
        Image.fromarray(ramp).save(tmp_path / label / "one.png")
    found = read_folder(tmp_path)
    reference = np.asarray(Image.fromarray(ramp).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    assert all(np.array_equal(image, reference) for image in found.bank.images)


@pytest.mark.parametrize("missing", CLASSES)
def test_a_class_without_photos(tmp_path: Path, missing: str) -> None:
    for label in CLASSES:
        if label != missing:
            photo(tmp_path / label / "one.png", 200, 200)
    with pytest.raises(DatasetError, match="0 files, none usable") as caught:
        read_folder(tmp_path)
    assert caught.value.where == str(tmp_path / missing)
    photo(tmp_path / missing / "small.png")
    with pytest.raises(DatasetError, match="1 files, none usable"):
        read_folder(tmp_path)


def test_a_class_whose_only_patient_is_held_out(tmp_path: Path) -> None:
    groups = {f"lesion/{n}.png": "big" for n in range(5)} | {"lesion/small.png": "small", "no_skin/1.png": "room"}
    root = folder(tmp_path, {**groups, "healthy_skin/1.png": "small"})
    with pytest.raises(DatasetError, match="no photo to train on") as caught:
        read(root)
    assert caught.value.where == str(tmp_path / "healthy_skin") and "1 photos" in str(caught.value.got)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        read_folder(tmp_path / "none")
    photo(tmp_path / "file.png")
    with pytest.raises(DatasetError):
        read_folder(tmp_path / "file.png")

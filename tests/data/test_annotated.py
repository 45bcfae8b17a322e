"""From tables to labelled photos: fused files read back, photos decoded, bad input refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageqx_export.data.annotated import (
    clean_ratings,
    read_labelled,
    read_labels,
    read_labels_with_photos,
    write_labels,
)
from imageqx_export.data.annotations import Rating, write_ratings
from imageqx_export.data.fusion import fuse
from imageqx_export.data.labels import Label, Split
from imageqx_export.data.settings import USUAL, PhotoSettings, choose_settings
from imageqx_export.data.vocabulary import LABELS
from imageqx_export.errors import DatasetError
from imageqx_export.preprocess import load_pixels
from tests.binary_spec import binary_spec

COLORS = {"a": (200, 150, 120), "b": (90, 60, 40), "c": (10, 200, 10), "d": (120, 120, 120), "e": (250, 250, 250)}


def rate(image: str, split: Split, *evaluations: str, kind: int = 0) -> list[Rating]:
    return [
        Rating(f"{image}.png", f"r{i}", e, ("blurry",) if e == "poor_quality" else (), f"p{image}", split, kind)
        for i, e in enumerate(evaluations)
    ]


@pytest.fixture
def ratings() -> list[Rating]:
    return [
        *rate("a", "train", "L57.0", "D22.9", "poor_quality", kind=4),
        *rate("b", "train", "no_skin"),
        *rate("c", "train", "healthy_skin"),
        *rate("d", "train", "poor_quality"),
        *rate("e", "test", "L57.0"),
    ]


@pytest.fixture
def table(tmp_path: Path, ratings: list[Rating]) -> Path:
    for name, color in COLORS.items():
        Image.new("RGB", (30, 20), color).save(tmp_path / f"{name}.png")
    write_ratings(ratings, tmp_path / "ratings.csv")
    return tmp_path / "ratings.csv"


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet"])
def test_soft_labels_are_read_back_whole(tmp_path: Path, ratings: list[Rating], name: str) -> None:
    labels = fuse(ratings)
    assert any(0 < share < 1 for label in labels for share in label.shares)
    write_labels(labels, tmp_path / name, soft=True)
    assert read_labels(tmp_path / name) == labels


def test_hard_labels_are_everybodys(tmp_path: Path, ratings: list[Rating]) -> None:
    labels = fuse(ratings)
    write_labels(labels, tmp_path / "labels.csv")
    back = read_labels(tmp_path / "labels.csv")
    keep = ("image", "group", "split", "quality", "reasons", "raters", "fitzpatrick")
    assert [[getattr(label, name) for name in keep] for label in back] == [
        [getattr(label, name) for name in keep] for label in labels
    ]
    assert list(back[0].shares) == [1, 0, 0, 0]
    assert list(back[0].reason_shares) == [0, 0, 1, 0, 0]


def test_a_table_of_ratings_is_fused(table: Path, ratings: list[Rating]) -> None:
    assert read_labels(table) == read_labels_with_photos(table, table.parent) == fuse(ratings)


def test_pixels_and_truth_are_in_the_same_order(table: Path) -> None:
    photos = read_labelled(table, table.parent, "train")
    assert photos.names == ("a.png", "b.png", "c.png", "d.png")
    assert photos.pixels.shape == (4, 224, 224, 3) and photos.pixels.dtype == np.uint8
    for pixels, name in zip(photos.pixels, photos.names, strict=True):
        assert np.array_equal(pixels, load_pixels(table.parent / name))
        assert tuple(pixels[100, 100]) == COLORS[name[0]]
    assert [LABELS[i] for i in photos.quality] == ["lesion", "no_skin", "healthy_skin", "poor_quality"]
    assert photos.reasons.tolist() == [[0, 0, 1, 0, 0], [0] * 5, [0] * 5, [0, 0, 1, 0, 0]]
    assert photos.reasons.dtype == np.float32 and photos.quality.dtype == np.int64
    assert photos.fitzpatrick.tolist() == [4, 0, 0, 0]
    assert photos.source == "4 photos of ratings.csv (train)"
    assert read_labelled(table, table.parent, "test").names == ("e.png",)


def test_unreadable_photos_are_left_out_and_counted(table: Path) -> None:
    images = table.parent
    write_ratings([*rate("a", "test", "L57.0"), *rate("b", "test", "L57.0")], table)
    (images / "a.png").write_bytes(b"no picture")
    photos = read_labelled(table, images, "test")
    assert photos.names == ("b.png",) and photos.source.endswith("(test, 1 unreadable left out)")
    (images / "b.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"none of the 2 photos of test can be read(.|\n)*imageqx data check"):
        read_labelled(table, images, "test")


def test_a_label_without_a_photo_cannot_be_trained_on(table: Path) -> None:
    write_ratings([*rate("a", "train", "L57.0"), *rate("b", "train", "poor_quality")], table)
    with pytest.raises(DatasetError, match="labelled no_skin or healthy_skin"):
        read_labelled(table, table.parent, "train")


def test_votes_need_no_photo_of_every_label(table: Path) -> None:
    write_ratings([*rate("a", "train", "L57.0"), *rate("b", "train", "poor_quality")], table)
    read = read_labelled(table, table.parent, "train", settings=PhotoSettings(every_label=False))
    assert read.votes is not None and read.votes.tolist() == [4, 0]
    assert choose_settings(binary_spec()).every_label is False and USUAL.every_label


def test_photos_smaller_than_a_region_are_left_out_and_a_side_of_them_is_refused(table: Path) -> None:
    write_ratings([*rate("a", "test", "L57.0"), *rate("b", "test", "L57.0")], table)
    Image.new("RGB", (60, 32)).save(table.parent / "b.png")
    settings = choose_settings(binary_spec())
    assert settings.min_side == 32, "half of 64 pixels; the other side is 40"
    read = read_labelled(table, table.parent, "test", settings=settings)
    assert read.names == ("b.png",) and read.source.endswith("(test, 1 under 32 px left out)")
    with pytest.raises(DatasetError, match=r"smaller than a region(.|\n)*33 px or more(.|\n)*2 photos of 20 to 32 px"):
        read_labelled(table, table.parent, "test", settings=PhotoSettings(min_side=33))
    assert read_labelled(table, table.parent, "test").names == ("a.png", "b.png"), "without regions all are taken"


def test_missing_photos_folders_and_splits_are_named(table: Path, tmp_path: Path) -> None:
    (tmp_path / "b.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of 5 photos are missing(.|\n)*b\.png"):
        read_labels_with_photos(table, tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        read_labels_with_photos(table, tmp_path / "none")
    write_ratings(rate("a", "test", "L57.0"), table)
    with pytest.raises(DatasetError, match="no photo is in the split val"):
        read_labelled(table, tmp_path, "val")


def test_bad_rows_are_refused_with_the_command_that_lists_them(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    rows = ["a.jpg,ada,sunburn,", "b.jpg,,L57.0,", "c.jpg,ada,,", "d.jpg,ada,x,", "e.jpg,ada,L57.0,"]
    path.write_text("\n".join(["image,rater,evaluation,reasons", *rows]))
    for read in (clean_ratings, read_labels):
        with pytest.raises(DatasetError) as caught:
            read(path)
        assert caught.value.what == "the table has 4 bad rows"
        assert "line 2" in str(caught.value.got) and "and 1 more" in str(caught.value.got)
        assert caught.value.remedy == f"imageqx data check {path}"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",lesion,", ",mole,", "line 2, .*label: not one of"),
        (",train,", ",training,", "split: not one of"),
        (",blurry,", ",blury,", "reasons: not of"),
        ("b.png,", "a.png,", "several rows"),
        ("pb,", "pe,", "the group pe is in train too"),
        (",3,4,", ",0,4,", "raters must be"),
        (",3,4,", ",three,4,", "line 2"),
        ("0.6666666666666666", "0.9", "add up to 1"),
        ("raters", "readers", "the column is missing"),
    ],
)
def test_a_damaged_table_of_labels_is_refused(
    tmp_path: Path, ratings: list[Rating], old: str, new: str, words: str
) -> None:
    labels = fuse(ratings)
    assert all(isinstance(label, Label) for label in labels)
    path = tmp_path / "labels.csv"
    write_labels(labels, path, soft=True)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DatasetError, match=words):
        read_labels(path)

"""What is compared and calibrated on: the user's photos, read as the model reads them, or refused; synthetic ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageqx_export.data import images
from imageqx_export.data.folder import read_folder
from imageqx_export.data.held_out import SEEDS
from imageqx_export.data.images import (
    CALIBRATION_IMAGES,
    CALIBRATION_SEED,
    PARITY_SEED,
    add_clean_photos,
    gather_calibration_images,
    read_images,
)
from imageqx_export.errors import DatasetError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.preprocess import load_pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a folder and one inside it with as many photos as are needed; most are one file."""
    root = tmp_path_factory.mktemp("photos")
    (root / "inside").mkdir()
    rng = np.random.default_rng(0)
    for name in ("000.png", "inside/001.jpg"):
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(root / name)
    for k in range(2, CALIBRATION_IMAGES):
        os.link(root / "000.png", root / f"{k:03}.png")
    (root / "notes.txt").write_text("no photo")
    return root


def test_photos_are_read_as_the_model_reads_them(folder: Path) -> None:
    pixels, source = gather_calibration_images(folder)
    assert pixels.shape == (256, 224, 224, 3) and pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels[0], load_pixels(folder / "000.png"))
    np.testing.assert_array_equal(pixels[-1], load_pixels(folder / "inside" / "001.jpg"))
    assert source == f"256 photos below {folder.name} (passed over: 1 × no photo's name: .txt)"
    assert str(folder.parent) not in source, "a recipe is shared, and a user's folders are not"


def test_too_few_photos_are_refused_with_the_number_needed(folder: Path, tmp_path: Path) -> None:
    for k in range(3):
        shutil.copy(folder / "000.png", tmp_path / f"{k}.png")
    with pytest.raises(DatasetError) as refused:
        gather_calibration_images(tmp_path)
    text = str(refused.value)
    assert "too few photos" in text and "at least 256" in text and "3 that can be read" in text
    assert "add 253 photos" in text and str(tmp_path) in text


def test_unreadable_photos_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "photos")
    for k in range(7):
        (tmp_path / "photos" / "inside" / f"broken {k}.jpg").write_bytes(b"no JPEG")
    with pytest.raises(DatasetError) as refused:
        gather_calibration_images(tmp_path / "photos")
    text = str(refused.value)
    assert text.startswith("photos that cannot be read")
    assert "256 that can be read, 7 that cannot: inside/broken 0.jpg" in text and "and 2 more" in text
    assert "broken 6" not in text


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        gather_calibration_images(tmp_path / "none")


def test_synthetic_ones_are_trainings_and_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "CALIBRATION_IMAGES", 6)
    pixels, source = gather_calibration_images(None)
    assert pixels.shape == (6, 224, 224, 3) and source == "6 synthetic samples of training's scenes, seed 0"
    np.testing.assert_array_equal(pixels, gather_calibration_images(None)[0])
    assert SEEDS["train"] == CALIBRATION_SEED and CALIBRATION_SEED not in (SEEDS["val"], SEEDS["test"], PARITY_SEED)


def test_clean_photos_of_the_training_side_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "CLEAN_IMAGES", 8)
    for k, label in enumerate(("lesion", "healthy_skin", "no_skin")):
        (tmp_path / label).mkdir()
        for number in range(12):
            Image.new("RGB", (100, 100), (40 * k + 60, 10 * number, 90)).save(tmp_path / label / f"{number}.png")
    first = np.zeros((2, 224, 224, 3), np.uint8)
    pixels, source = add_clean_photos((first, "2 samples"), tmp_path, spec=spec())
    assert source == f"2 samples, and 8 photos of {tmp_path.name}, half a little brighter"
    assert pixels.shape == (10, 224, 224, 3) and pixels.dtype == np.uint8 and not pixels[:2].any()
    training = read_folder(tmp_path).side("train").images[:, 0, 0].tolist()
    assert all(pixel in training for pixel in pixels[2::2, 112, 112].tolist())
    assert not any(pixel in training for pixel in pixels[3::2, 112, 112].tolist())
    assert add_clean_photos((first, "2 samples"), None, spec=spec()) == (first, "2 samples")


def test_too_few_photos_to_compare_on_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        read_images(tmp_path / "none")
    Image.new("RGB", (30, 30)).save(tmp_path / "one.png")
    with pytest.raises(DatasetError, match="at least 64"):
        read_images(tmp_path)


def test_a_folder_of_photos_becomes_pixels(tmp_path: Path) -> None:
    for index in range(64):
        Image.new("RGB", (40, 30), (index, 0, 255 - index)).save(tmp_path / f"{index:02}.png")
    pixels = read_images(tmp_path)
    assert pixels.shape == (64, 224, 224, 3)
    assert pixels[:, 0, 0, 0].tolist() == list(range(64))

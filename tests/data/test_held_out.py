"""Held-out photos: nothing that was trained on, the same at every call, and labels that say what was done."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageqx_export.data import held_out as module
from imageqx_export.data.bank import PHOTO, SIDE, SYNTHETIC, Bank
from imageqx_export.data.folder import PhotoFolder, read_folder
from imageqx_export.data.held_out import SEEDS, draw_samples, make_held_out_bank, make_synthetic_samples
from imageqx_export.data.labels import SPLITS, LabelledPhotos, Split
from imageqx_export.data.sample_plan import plan_samples
from imageqx_export.data.scenes import SCENE_KINDS, render_scenes
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.support.progress import Progress, silent
from tests.data.fakes import POOR

Array = NDArray[Any]

CLASSES = ("lesion", "healthy_skin", "no_skin")
COUNT = 20


@pytest.fixture(scope="module", autouse=True)
def few_scenes() -> Iterator[None]:
    """Draw seventeen scenes a side, each side once (render_scenes' own tests draw twice); draw small batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SCENES", SCENE_KINDS)
        patch.setattr(module, "_BATCH", 12)
        patch.setattr(module, "render_scenes", render_once)
        yield


@functools.cache
def synthetic(seed: int, count: int, varied: bool) -> Bank:
    return render_scenes(seed, count, varied=varied)


def render_once(seed: int, count: int, *, side: int = 224, varied: bool = True, progress: Progress = silent) -> Bank:
    return synthetic(seed, count, varied)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write nine patients' photos of each class; two photos each, of a colour that names the patient."""
    root = tmp_path_factory.mktemp("photos")
    rows = ["file,group,fitzpatrick"]
    for i, label in enumerate(CLASSES):
        (root / label).mkdir()
        for patient, copy in itertools.product(range(9), range(2)):
            name = f"{label}/{patient}-{copy}.png"
            Image.new("RGB", (100, 100), (20 + 20 * patient, 60 * i, 100 + copy)).save(root / name)
            rows.append(f"{name},{label} {patient},{1 + patient % 6}")
    (root / "manifest.csv").write_text("\n".join(rows))
    return root


@pytest.fixture(scope="module")
def folder(root: Path) -> PhotoFolder:
    return read_folder(root)


@pytest.fixture(scope="module")
def banks(folder: PhotoFolder) -> dict[Split, Bank]:
    return {split: make_held_out_bank(split, folder) for split in SPLITS}


@pytest.fixture(scope="module")
def made(banks: dict[Split, Bank]) -> LabelledPhotos:
    return draw_samples(banks["test"], COUNT, "test", True, photo_share=0.6)


def same(one: LabelledPhotos, other: LabelledPhotos) -> bool:
    arrays = ("pixels", "quality", "reasons", "fitzpatrick", "votes")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)


def test_sides_share_no_patient_and_no_synthetic_scene(banks: dict[Split, Bank]) -> None:
    patients, scenes = {}, {}
    for split, bank in banks.items():
        photos = bank.images[bank.origin == PHOTO]
        patients[split] = {tuple(int(v) for v in image[0, 0, :2]) for image in photos}
        scenes[split] = {image.tobytes() for image in bank.images[bank.origin == SYNTHETIC]}
        assert len(scenes[split]) == SCENE_KINDS and len(photos) == 2 * len(patients[split])
    for one, other in itertools.combinations(SPLITS, 2):
        assert not patients[one] & patients[other] and not scenes[one] & scenes[other]
    assert len(set.union(*patients.values())) == 27


def test_training_draws_other_scenes(banks: dict[Split, Bank]) -> None:
    held = {image.tobytes() for split in (banks["val"], banks["test"]) for image in split.images}
    assert not held & {image.tobytes() for image in synthetic(SEEDS["train"], SCENE_KINDS, True).images}
    assert SEEDS["train"] < 2**31 <= min(SEEDS["val"], SEEDS["test"]) and len(set(SEEDS.values())) == 3


def test_without_a_folder_there_are_synthetic_scenes_alone(banks: dict[Split, Bank]) -> None:
    bank = make_held_out_bank("val", None)
    assert set(bank.origin) == {SYNTHETIC} and len(bank) == SCENE_KINDS
    own = banks["val"].take(np.flatnonzero(banks["val"].origin == SYNTHETIC))
    assert np.array_equal(bank.images, own.images) and np.array_equal(bank.reasons, own.reasons)


def test_the_same_at_every_call(made: LabelledPhotos, root: Path) -> None:
    again = draw_samples(make_held_out_bank("test", read_folder(root)), COUNT, "test", True, photo_share=0.6)
    assert same(again, made) and again.names == made.names and again.source == made.source
    assert not same(
        draw_samples(make_held_out_bank("test", read_folder(root)), COUNT, "test", True, photo_share=0.5), made
    )


def test_sources_give_one_side_of_a_folder(root: Path, banks: dict[Split, Bank]) -> None:
    given = load_held_out("val", Sources(photos=root), 5)
    assert same(given, draw_samples(banks["val"], 5, "val", True)) and "other patients" in given.source
    assert "passed over" not in given.source
    (root / "lesion" / "notes.txt").touch()
    (root / "no_skin" / "empty.jpg").touch()
    try:
        source = load_held_out("val", Sources(photos=root), 5).source
    finally:
        (root / "lesion" / "notes.txt").unlink()
        (root / "no_skin" / "empty.jpg").unlink()
    assert source == f"{given.source} (passed over: 1 × unreadable, 1 × no photo's name: .txt)"
    assert load_held_out("val", Sources(), 2).source == "2 val samples: synthetic scenes, degraded in known ways"


def test_sides_draw_other_samples(banks: dict[Split, Bank]) -> None:
    val, test = draw_samples(banks["test"], 2, "val", True), draw_samples(banks["test"], 2, "test", True)
    assert not np.array_equal(val.pixels, test.pixels) and val.names[0] == "val sample 0"


def test_shapes_names_and_source(made: LabelledPhotos, banks: dict[Split, Bank]) -> None:
    shapes = {f.name: getattr(made, f.name) for f in fields(made) if f.name not in ("names", "source")}
    assert {name: (values.shape, values.dtype.name) for name, values in shapes.items()} == {
        "pixels": ((COUNT, SIDE, SIDE, 3), "uint8"),
        "quality": ((COUNT,), "int64"),
        "reasons": ((COUNT, 5), "float32"),
        "fitzpatrick": ((COUNT,), "int64"),
        "votes": ((COUNT,), "int64"),
    }
    assert made.names == tuple(f"test sample {i}" for i in range(COUNT)) and len(made) == COUNT
    assert made.source == "20 test samples: other patients' photos and other synthetic scenes, degraded in known ways"
    assert (
        draw_samples(banks["val"], 1, "val", False).source == "1 val samples: synthetic scenes, degraded in known ways"
    )


def test_labels_agree_with_each_other(made: LabelledPhotos) -> None:
    assert np.array_equal(made.quality == POOR, made.reasons.any(1))
    assert set(np.unique(made.reasons)) == {0, 1} and len(set(made.quality.tolist())) >= 3


def test_labels_are_the_plans(made: LabelledPhotos, banks: dict[Split, Bank]) -> None:
    """Plan the batches again and compare; a skin type is known where the tone is the photo's own."""
    bank = banks["test"]
    plans = [plan_samples(bank, (SEEDS["test"], start), size, 0.6) for start, size in ((0, 12), (12, 8))]
    types = []
    for plan in plans:
        own = bank.fitzpatrick[plan.subject]
        types += [0 if tone[0] != 1 else int(kind) for tone, kind in zip(plan.tone, own, strict=True)]
    assert made.fitzpatrick.tolist() == types
    assert made.quality.tolist() == [int(label) for plan in plans for label in plan.quality]
    assert np.array_equal(made.reasons, np.concatenate([plan.reasons for plan in plans]))
    toned = np.concatenate([plan.tone[:, 0] != 1 for plan in plans])
    known = np.concatenate([bank.fitzpatrick[plan.subject] for plan in plans]) > 0
    assert (toned & known).any() and (~toned & known).any()  # there was something to forget, and to keep


def test_a_good_synthetic_sample_still_looks_like_its_scene(banks: dict[Split, Bank]) -> None:
    bank = banks["val"].take(np.flatnonzero(banks["val"].origin == SYNTHETIC))
    samples = draw_samples(bank, 12, "val", False)
    plan = plan_samples(bank, (SEEDS["val"], 0), 12, 0.7)
    thumbs = bank.images.reshape(len(bank), 8, 28, 8, 28, 3).mean((2, 4)).reshape(len(bank), -1)
    unmarked = (plan.marks == 0).all(1)
    good = np.flatnonzero((samples.quality != POOR) & unmarked & (plan.affine == np.eye(2, 3)).all((1, 2)))
    for i in good:  # neither degraded nor mirrored nor cropped nor drawn upon
        thumb = samples.pixels[i].reshape(8, 28, 8, 28, 3).mean((1, 3)).ravel()
        nearest = [np.corrcoef(thumb, other)[0, 1] for other in thumbs]
        assert int(np.argmax(nearest)) == plan.subject[i]
    assert len(good)


def test_synthetic_samples_are_a_seeds_own() -> None:
    once = make_synthetic_samples(3, 5)
    assert same(once, make_synthetic_samples(3, 5)) and once.source == "3 synthetic samples of seed 5"
    assert not np.array_equal(once.pixels, make_synthetic_samples(3, 6).pixels)
    assert once.names == ("synthetic sample 0", "synthetic sample 1", "synthetic sample 2")

"""Samples: the seed and the index give the picture, and what was done to it is the label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imageqx_export.data import degradations, samples
from imageqx_export.data.folder import PhotoFolder
from imageqx_export.data.samples import Sample, Samples, batch
from imageqx_export.data.synthetic import SceneClass
from imageqx_export.networks.imageqx_spec import LABELS, REASONS

COUNT = 24
DRAWN = 400
POOR = LABELS.index("poor_quality")


@pytest.fixture(scope="module")
def painted() -> list[Sample]:
    return [Samples(3)[index] for index in range(COUNT)]


@pytest.fixture(scope="module")
def photos() -> PhotoFolder:
    rng = np.random.default_rng(8)
    images: dict[SceneClass, list[NDArray[np.uint8]]] = {
        label: [rng.integers(0, 256, (180, 240, 3), dtype=np.uint8) for _ in range(2)]
        for label in ("lesion", "healthy_skin", "no_skin")
    }
    return PhotoFolder(Path("none"), "train", images, {}, {})


def same(one: Sample, other: Sample) -> bool:
    return (
        np.array_equal(one.image, other.image)
        and one.quality == other.quality
        and np.array_equal(one.explanations, other.explanations)
    )


def test_shapes(painted: list[Sample]) -> None:
    for sample in painted:
        assert sample.image.shape == (224, 224, 3) and sample.image.dtype == np.uint8
        assert sample.image.flags["C_CONTIGUOUS"]
        assert sample.explanations.shape == (5,) and sample.explanations.dtype == np.float32
        assert set(sample.explanations.tolist()) <= {0.0, 1.0}


def test_seed_and_index_give_the_sample(painted: list[Sample]) -> None:
    for index in (COUNT - 1, 5, 0):  # in another order, from another instance
        assert same(Samples(3)[index], painted[index])
    assert not any(np.array_equal(Samples(4)[index].image, painted[index].image) for index in range(4))
    assert len({sample.image.tobytes() for sample in painted}) == COUNT


def test_photos_are_mixed_in(painted: list[Sample], photos: PhotoFolder) -> None:
    with_photos = Samples(3, photos, photo_share=0.5)
    mixed = [with_photos[index] for index in range(8)]
    assert all(same(Samples(3, photos, photo_share=0.5)[index], mixed[index]) for index in range(8))
    changed = [not np.array_equal(one.image, other.image) for one, other in zip(mixed, painted, strict=False)]
    assert any(changed)
    for index, (one, other) in enumerate(zip(mixed, painted, strict=False)):
        assert one.quality == other.quality == with_photos.label(index)  # photos change pictures, not labels
        assert np.array_equal(one.explanations, other.explanations)


def test_label_foretells_the_sample(painted: list[Sample]) -> None:
    assert [Samples(3).label(index) for index in range(COUNT)] == [sample.quality for sample in painted]


def test_batch_stacks(painted: list[Sample]) -> None:
    images, labels, flags = batch(Samples(3), range(2, 5))
    assert images.shape == (3, 224, 224, 3) and labels.dtype == np.int64 and flags.shape == (3, 5)
    for row, sample in enumerate(painted[2:5]):
        assert same(Sample(images[row], int(labels[row]), flags[row]), sample)


def test_many_labels_are_consistent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw hundreds of samples with a painter that paints nothing; labels are drawn before pictures."""
    scenes: list[str] = []

    def paint(rng: Any, label: SceneClass, severity: dict[str, float]) -> NDArray[np.uint8]:
        scenes.append(label)
        assert set(severity) == set(REASONS)
        for value in severity.values():  # raters disagree about what lies between
            assert 0 <= value <= degradations.MILD or degradations.STRONG <= value <= 1
        return np.zeros((8, 8, 3), np.uint8)

    monkeypatch.setattr(samples, "_painted", paint)
    monkeypatch.setattr(degradations, "PIXELWISE", {})
    drawn = [Samples(1)[index] for index in range(DRAWN)]
    flags = np.stack([sample.explanations for sample in drawn]).astype(bool)
    labels = np.array([sample.quality for sample in drawn])
    assert np.array_equal(labels == POOR, flags.any(1)), "poor if, and only if, there is a reason"
    assert all(LABELS[label] == name for label, name in zip(labels, scenes, strict=True) if label != POOR)
    assert set(labels.tolist()) == {0, 1, 2, 3} and flags.any(0).all() and (flags.sum(1) >= 2).any()
    no_skin = np.array(scenes) == "no_skin"
    geometric = [REASONS.index(reason) for reason in ("bad_framing", "too_far_away")]
    assert flags[no_skin].any() and not flags[no_skin][:, geometric].any()
    assert flags[~no_skin][:, geometric].any(0).all()
    assert not flags[:, geometric].all(1).any()
    assert 0.4 < (labels == POOR).mean() < 0.6
    assert np.array_equal(labels, [Samples(1).label(index) for index in range(DRAWN)])
    assert not np.array_equal(labels, [Samples(2).label(index) for index in range(DRAWN)])

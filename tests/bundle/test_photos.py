"""The golden photos, held to a stretch written in numpy's integers, which knows neither Pillow nor its order."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from imageqx_export.artifact import Preprocessing
from imageqx_export.bundle.manifest import make_layout
from imageqx_export.bundle.photos import PhotoIndex, list_shipped, write_photos
from imageqx_export.preprocess import load_pixels, stretch
from tests.bundle.draw_photos import draw, write_all
from tests.test_preprocess import TURNS

Bytes = NDArray[np.uint8]
BILINEAR = Image.Resampling.BILINEAR
SQUARE, OBLONG = Preprocessing(), Preprocessing(height=96, width=160)
EXACT = ("tall_336x500.png", "wide_500x336.png", "column_1x300.png", "row_300x1.png", "dot_1x1.png", "small_60x40.png")
# The pixels of 224 × 224, so that another machine, or another version of a library, cannot change them unseen.
DIGESTS = Path(__file__).parent / "photos_224.json"


def one_pass(rows: Bytes, target: int) -> Bytes:
    """Stretch the last axis but one of uint8 [...,source,3] to ``target``, as the contract says it."""
    source = rows.shape[-2]
    scale = source / target
    reach = max(scale, 1.0)
    out = np.empty((*rows.shape[:-2], target, rows.shape[-1]), np.uint8)
    for index in range(target):
        centre = (index + 0.5) * scale
        first, last = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), source)
        weights = [max(0.0, 1 - abs((at - centre + 0.5) / reach)) for at in range(first, last)]
        whole = [int(weight / sum(weights) * 2**22 + 0.5) for weight in weights]
        total = np.tensordot(rows[..., first:last, :].astype(np.int64), np.array(whole), axes=([-2], [0]))
        out[..., index, :] = ((total + 2**21) >> 22).clip(0, 255)
    return out


def contract(picture: Bytes, size: Preprocessing) -> Bytes:
    """Stretch uint8 [height,width,3], along the rows first."""
    wide = picture if picture.shape[1] == size.width else one_pass(picture, size.width)
    if picture.shape[0] == size.height:
        return wide
    return one_pass(wide.swapaxes(0, 1), size.height).swapaxes(0, 1)


def columns_first(picture: Bytes, size: Preprocessing) -> Bytes:
    turned = Preprocessing(height=size.width, width=size.height)
    return contract(picture.swapaxes(0, 1), turned).swapaxes(0, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden") / "golden" / "photos"
    write_photos(folder, SQUARE)
    return folder


@pytest.fixture(scope="module")
def index(folder: Path) -> PhotoIndex:
    return PhotoIndex.model_validate_json((folder / "photos.json").read_bytes())


def read(folder: Path, index: PhotoIndex, photo: str) -> Bytes:
    entry = next(entry for entry in index.photos if entry.photo == photo)
    size = index.preprocessing
    return np.frombuffer((folder / entry.pixels).read_bytes(), np.uint8).reshape(size.height, size.width, 3)


@pytest.mark.parametrize("photo", EXACT)
def test_pixels_are_the_contracts_to_the_bit(folder: Path, index: PhotoIndex, photo: str) -> None:
    with Image.open(folder / photo) as image:
        picture = np.asarray(image)
    assert (read(folder, index, photo) == contract(picture, index.preprocessing)).all()


def test_the_other_order_of_passes_fails_on_a_tall_photo(folder: Path, index: PhotoIndex) -> None:
    """Also Pillow 13.0.0's own one call, which takes the columns of so tall a photo first."""
    for photo, share in (("tall_336x500.png", 0.05), ("tall_567x1008.jpg", 0.05)):
        with Image.open(folder / photo) as image:
            own, picture = np.asarray(image.resize((224, 224), BILINEAR)), np.asarray(image)
        pixels = read(folder, index, photo)
        wrong = columns_first(picture, index.preprocessing)
        assert (contract(picture, index.preprocessing) == pixels).all()
        assert (wrong != pixels).mean() > share and np.abs(wrong.astype(int) - pixels).max() == 1
        assert (own == pixels).all() or (own == wrong).all(), "neither order is this version of Pillow's"


def test_pixels_are_the_same_as_on_the_machine_that_wrote_them_down(folder: Path, index: PhotoIndex) -> None:
    found = {e.pixels: hashlib.sha256((folder / e.pixels).read_bytes()).hexdigest() for e in index.photos}
    assert found == json.loads(DIGESTS.read_text())


def test_the_index_lists_every_photo_and_what_a_decoder_must_do(folder: Path, index: PhotoIndex) -> None:
    listed = {"photos.json", *(e.photo for e in index.photos), *(e.pixels for e in index.photos)}
    assert listed == {path.name for path in folder.iterdir()}
    assert {e.orientation for e in index.photos} == set(range(1, 9))
    assert {need for e in index.photos for need in e.needs} == {
        *("jpeg", "png", "orientation", "reduction", "icc", "cmyk", "grey", "alpha")
    }
    assert all(("reduction" in e.needs) == (e.reduction > 1) for e in index.photos)
    assert len({(folder / e.pixels).read_bytes() for e in index.photos}) == len(index.photos)


def test_an_export_may_hold_them(folder: Path) -> None:
    root = folder.parents[1]
    assert make_layout("imageqx").find_foreign(root) == []
    (folder / "other.txt").write_text("")
    try:
        assert make_layout("imageqx").find_foreign(root) == ["golden/photos/other.txt"]
    finally:
        (folder / "other.txt").unlink()


def test_photos_are_small_and_paintable(tmp_path: Path) -> None:
    shipped = list_shipped()
    assert sum(map(len, shipped.values())) < 700_000
    write_all(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(shipped)
    for path in tmp_path.glob("*.png"):  # what a JPEG is decoded to is its writer's affair
        (tmp_path / "shipped").write_bytes(shipped[path.name])
        with Image.open(path) as new, Image.open(tmp_path / "shipped") as old:
            assert (np.asarray(new).astype(int) - np.asarray(old)).max() <= 8, path.name


@pytest.mark.parametrize("size", [SQUARE, OBLONG])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_turned_first(orientation: int, size: Preprocessing, tmp_path: Path) -> None:
    picture, exif = draw(300, 420), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture).save(tmp_path / "a.png", exif=exif)
    pixels = load_pixels(tmp_path / "a.png", size)
    assert (pixels == contract(TURNS[orientation](picture), size)).all()
    upside_down = TURNS[3](TURNS[orientation](picture))
    assert (pixels != contract(upside_down, size)).any()


# Which edges (left, upper, right, lower) of the stored picture lack half a pixel once it is upright.
@pytest.mark.parametrize(("orientation", "edge"), [(1, 2), (2, 0), (3, 0), (4, 2), (5, 3), (6, 3), (7, 1), (8, 1)])
def test_a_reduced_photos_missing_half_pixel_turns_with_it(orientation: int, edge: int, tmp_path: Path) -> None:
    """1003 columns become 502, of which the photo covers 501.5."""
    exif, path = Image.Exif(), tmp_path / "a.jpg"
    exif[0x0112] = orientation
    Image.fromarray(draw(1003, 700)).save(path, quality=90, exif=exif)
    with Image.open(path) as image:
        image.draft(None, (336, 336))
        picture = TURNS[orientation](np.asarray(image))
    assert min(picture.shape[:2]) == 350 and max(picture.shape[:2]) == 502
    for tried in range(4):
        margins = tuple(0.5 * (tried == place) for place in range(4))
        pixels = np.asarray(stretch(Image.fromarray(picture), (224, 224), margins))
        assert (pixels == load_pixels(path)).all() == (tried == edge)


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.tuples(st.integers(1, 120), st.integers(1, 120)),
    st.sampled_from([0.0, 0.5]),
)
def test_two_passes_are_pillows_one_call(source: tuple[int, int], target: tuple[int, int], margin: float) -> None:
    """In one order or the other, box and all: which one is all that Pillow chooses."""
    noise = np.random.default_rng(source[0]).integers(0, 256, (source[1], source[0], 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    margins = (0.0, 0.0, margin * (source[0] > 1), margin * (source[1] > 1))
    own = picture.resize(target, BILINEAR, box=(0, 0, source[0] - margins[2], source[1] - margins[3]))
    rows_first = stretch(picture, target, margins)
    turned = picture.transpose(Image.Transpose.TRANSPOSE)
    other = stretch(turned, target[::-1], tuple(margins[i] for i in (1, 0, 3, 2))).transpose(Image.Transpose.TRANSPOSE)
    assert own.tobytes() in (rows_first.tobytes(), other.tobytes())
    if not (source[1] > target[1] and source[1] - target[1] > 2 * (source[0] - target[0])):
        assert own.tobytes() == rows_first.tobytes()  # where every version takes the rows first

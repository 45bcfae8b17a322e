"""What TrueImage looks at: blur, the light on the skin, and how much of the frame is skin.

Vodrahalli et al., "TrueImage: A Machine Learning Algorithm to Improve the Quality of Telehealth Photos", Pacific
Symposium on Biocomputing 2021 (arXiv 2010.02086), measure blur by the Laplacian's variance and by Fourier energy, over
patches of 32 × 32 pixels of skin; light by grey levels under 50 and over 205 and by how usual the skin's colour is;
zoom by the share of the frame that is skin. Here, differently: skin is a box in YCrCb (Chai & Ngan, IEEE Transactions
on Circuits and Systems for Video Technology 1999), where theirs is found by a network (FCN-ResNet101), as the classical
approach is what is compared with; the photo is the model's pixels, not the file's, so that both see the same; and
colour is the skin's mean.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from imageqx_export.evaluation.intervals import Floats

FEATURES = (
    "blur_laplacian",
    "blur_skin_lower",
    "blur_skin_middle",
    "blur_skin_upper",
    "blur_fourier",
    "light_mean",
    "light_spread",
    "light_dark",
    "light_bright",
    "light_red",
    "light_yellow",
    "zoom_skin",
    "zoom_skin_middle",
)
_CR, _CB = (133, 173), (77, 127)  # Chai & Ngan's box
_LEAST_SKIN = 0.01  # of the frame; with less, the whole frame is looked at
_PATCH = 32
_FINE = 1 / 8  # of the sampling rate: Fourier energy from here on is detail
_DARK, _BRIGHT = 50, 205  # of 255


def measure_features(pixels: NDArray[np.uint8]) -> Floats:
    """Return the features of photos, float64 [N,13] in the order of :data:`FEATURES`.

    Args:
        pixels: sRGB, uint8 [N,H,W,3]; H and W at least 32.
    """
    return np.stack([_measure_one(photo) for photo in pixels]) if len(pixels) else np.empty((0, len(FEATURES)))


def find_skin(photo: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where a photo's colour is that of skin, bool [H,W]; the box leaves brightness out, so dark skin counts."""
    coded = cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb)
    red, blue = coded[..., 1], coded[..., 2]
    return np.asarray((red >= _CR[0]) & (red <= _CR[1]) & (blue >= _CB[0]) & (blue <= _CB[1]))


def _measure_one(photo: NDArray[np.uint8]) -> Floats:
    skin = find_skin(photo)
    share = float(skin.mean())
    inside = skin if share >= _LEAST_SKIN else np.ones_like(skin)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    light = grey[inside]
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB)[inside]
    height, width = skin.shape
    middle = skin[height // 4 : -(height // 4), width // 4 : -(width // 4)]
    return np.array(
        [
            *_measure_blur(grey, inside),
            light.mean() / 255,
            light.std() / 255,
            (grey < _DARK).mean(),  # of the frame: skin that is black or burnt out has no colour to be known by
            (grey > _BRIGHT).mean(),
            (float(lab[:, 1].mean()) - 128) / 128,
            (float(lab[:, 2].mean()) - 128) / 128,
            share,
            middle.mean(),
        ],
        np.float64,
    )


def _measure_blur(grey: NDArray[np.uint8], inside: NDArray[np.bool_]) -> tuple[float, ...]:
    """Return log variances of the Laplacian, of the photo and the quartiles of skin's patches, and Fourier energy."""
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    variances = np.log1p(_cut_patches(edges).var(2))
    of_skin = _cut_patches(inside).mean(2) >= 0.5
    chosen = variances[of_skin] if of_skin.any() else variances.ravel()
    return (float(np.log1p(edges.var())), *map(float, np.quantile(chosen, [0.25, 0.5, 0.75])), _measure_detail(grey))


def _cut_patches(plane: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return [rows,columns,32 · 32] of a plane [H,W]; what is left at the right and the bottom is left out."""
    rows, columns = (side // _PATCH for side in plane.shape)
    cut = plane[: rows * _PATCH, : columns * _PATCH].reshape(rows, _PATCH, columns, _PATCH)
    return cut.transpose(0, 2, 1, 3).reshape(rows, columns, _PATCH * _PATCH)


def _measure_detail(grey: NDArray[np.uint8]) -> float:
    """Return the logarithm of the share of Fourier energy in detail, the mean left out.

    Under a Hann window: without it, the step from one edge of the photo to the other is detail too.
    """
    window = np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])
    energy = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
    rows, columns = np.fft.fftfreq(grey.shape[0])[:, None], np.fft.rfftfreq(grey.shape[1])[None]
    fine = np.maximum(np.abs(rows), columns) >= _FINE
    return float(np.log((energy[fine].sum() + 1) / (energy.sum() + 1)))

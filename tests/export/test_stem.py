"""Kernels that read pixels in groups, against torch's convolution of single ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d, pad

from imageqx_export.export.stem import group_kernel


@pytest.mark.parametrize("size", [2, 4, 6])
def test_groups_of_pixels_give_the_same_integers(size: int) -> None:
    rng, rows, groups = np.random.default_rng(size), 7, 3
    kernel = rng.integers(-127, 128, (5, 3, 3, 3), np.int8)
    picture = torch.from_numpy(rng.integers(0, 256, (1, 3, rows, groups * size)).astype(np.float32))
    want = conv2d(pad(picture, (1, 0)), torch.from_numpy(kernel).float(), stride=2)

    grouped = group_kernel(kernel, size)
    assert grouped.shape == (size // 2 * 5, size * 3, 3, 2) and grouped.dtype == np.int8
    framed = pad(picture, (size, 0)).permute(0, 2, 3, 1).reshape(1, rows, groups + 1, size * 3).permute(0, 3, 1, 2)
    got = conv2d(framed, torch.from_numpy(np.ascontiguousarray(grouped)).float(), stride=(2, 1))
    got = got.reshape(1, size // 2, 5, -1, groups).permute(0, 2, 3, 4, 1).reshape(want.shape)
    assert torch.equal(got, want) and len(np.unique(want)) > 20

"""Turn a photo's bytes into what the network takes: the one definition for training and for the reference."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from imageqx_export.artifact import Preprocessing


def normalise(images: Tensor, size: int | None = None, preprocessing: Preprocessing | None = None) -> Tensor:
    """Return (images / 255 − mean) / std.

    Args:
        images: RGB in 0…255, uint8 or float32 [N,H,W,3].
        size: Pixels a side to resize to, antialiased bilinear; None keeps H and W.
        preprocessing: Has mean and standard deviation; None is the default.

    Returns:
        float32 [N,3,size,size], channels last in memory, on the images' device.

    >>> normalise(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8))[0, :, 0, 0]
    tensor([2.2489, 2.4286, 2.6400])
    """
    preprocessing = preprocessing or Preprocessing()
    pixels = images.permute(0, 3, 1, 2).float().div(255)
    if size is not None and (size, size) != pixels.shape[2:]:
        pixels = functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(v, device=pixels.device)[:, None, None] for v in (preprocessing.mean, preprocessing.std))
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)

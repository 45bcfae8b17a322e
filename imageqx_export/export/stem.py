"""Let the first convolution read pixels of a row in groups: the same integers from kernels that integers suit."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from imageqx_export.errors import ConversionError


def group_kernel(kernel: NDArray[np.int8], size: int) -> NDArray[np.int8]:
    """Return a kernel that reads pixels of a row in groups, and gives all columns of a group at once.

    Kernels for integers take channels in fours or eights, and a pixel's three leave them half empty.

    Args:
        kernel: int8 [O,C,3,3], for stride 2 on rows with one column before the picture.
        size: Pixels in a group, even.

    Returns:
        int8 [size/2·O, size·C, 3, 2], for a stride of one group on rows with one group before the picture; the left
        column's outputs come first.
    """
    out, channels, height, width = kernel.shape
    grouped = np.zeros((size // 2, out, height, 2 * size, channels), np.int8)
    for column in range(size // 2):
        begin = size - 1 + 2 * column
        grouped[column, :, :, begin : begin + width] = kernel.transpose(0, 2, 3, 1)
    return grouped.reshape(-1, height, 2, size * channels).transpose(0, 3, 1, 2)


def blame_unknown_entry(kind: str, expected: str, found: Iterable[str]) -> ConversionError:
    """Return the error for a converted graph that begins otherwise than the quantized network.

    Args:
        kind: Of graph: ``"ONNX"`` or ``"TFLite"``.
        expected: What it should begin with, in words.
        found: The operations that it begins with.
    """
    return ConversionError(
        f"the {kind} graph's entry is not the quantized network's",
        expected=expected,
        got=", ".join(found),
        remedy="report this version of the exporter",
    )

"""Check the Core ML evaluator's convolutions and pools against scipy and numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import signal

from imageqx_export.runtimes.mil import runtime as mil
from tests.runtimes.mil.programs import Array, mb, normal, program


def conv_golden(x: Array, w: Array, strides: Any, pads: Any, dilations: Any, groups: int) -> Array:
    """Correlate with scipy: pads per spatial dimension, a kernel with zeros put in between."""
    # In one type: for two SciPy casts an array that nobody has written yet, and NumPy warns of what lies there.
    x = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *pads])
    spread = np.zeros((*w.shape[:2], *[(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilations, strict=True)]))
    every: Any = (..., *[slice(None, None, d) for d in dilations])
    spread[every] = w
    part, outs = x.shape[1] // groups, w.shape[0] // groups
    step = tuple(slice(None, None, s) for s in strides)
    maps = [
        [signal.correlate(row[o // outs * part :][:part], spread[o], "valid")[0][step] for o in range(len(w))]
        for row in x
    ]
    return np.array(maps)


def windows(x: Array, sizes: Any, strides: Any) -> Array:
    """Return every window of the last dimensions, flattened: [N,C,*D,K]."""
    every: Any = (slice(None), slice(None), *[slice(None, None, s) for s in strides])
    view: Array = np.lib.stride_tricks.sliding_window_view(x, sizes, tuple(range(2, x.ndim)))[every]
    return view.reshape(*view.shape[: x.ndim], -1)


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "dilations", "groups", "pad_type", "pads"),
    [
        ((7, 9), (3, 3), (1, 1), (1, 1), 1, "valid", ((0, 0), (0, 0))),
        ((7, 9), (3, 2), (2, 3), (1, 1), 1, "custom", ((1, 1), (0, 0))),
        ((7, 9), (3, 3), (2, 2), (1, 1), 4, "custom", ((0, 1), (2, 1))),
        ((8, 8), (3, 3), (1, 1), (2, 2), 2, "custom", ((2, 2), (2, 2))),
        ((8, 8), (3, 3), (2, 2), (1, 1), 1, "same", ((0, 1), (0, 1))),
        ((8, 8), (3, 3), (2, 2), (1, 1), 1, "same_lower", ((1, 0), (1, 0))),
        ((7, 7), (2, 4), (1, 1), (1, 1), 2, "same", ((0, 1), (1, 2))),
        ((7, 7), (2, 4), (1, 1), (1, 1), 2, "same_lower", ((1, 0), (2, 1))),
        ((9,), (4,), (2,), (1,), 1, "custom", ((1, 2),)),
        ((4, 5, 6), (2, 3, 2), (1, 2, 1), (1, 1, 1), 2, "custom", ((0, 1), (1, 1), (0, 0))),
    ],
)
def test_conv_is_scipys_correlation(
    size: Any, kernel: Any, strides: Any, dilations: Any, groups: int, pad_type: str, pads: Any
) -> None:
    """With and without bias."""
    x, w, b = normal(2, 4, *size), normal(8, 4 // groups, *kernel), normal(8)
    given = {"pad": np.ravel(pads).astype(np.int32)} if pad_type == "custom" else {}
    made = program(
        lambda x: [
            mb.conv(
                x=x, weight=w, strides=strides, dilations=dilations, groups=groups, pad_type=pad_type, **given, **bias
            )
            for bias in ({}, {"bias": b})
        ],
        x.shape,
    )
    got = mil.evaluate(made, {"x0": x})
    golden = conv_golden(x, w, strides, pads, dilations, groups)
    np.testing.assert_allclose(got["y0"], golden, atol=2e-5)
    np.testing.assert_allclose(got["y1"], golden + b.reshape(-1, *[1] * len(size)), atol=2e-5)


POOLS = [
    ((7, 9), (3, 2), (2, 2), "valid", ((0, 0), (0, 0)), False),
    ((7, 9), (3, 3), (2, 3), "custom", ((1, 1), (0, 1)), False),
    ((8, 8), (3, 3), (2, 2), "same", ((0, 1), (0, 1)), False),
    ((8, 8), (3, 3), (2, 2), "same_lower", ((1, 0), (1, 0)), False),
    ((8, 8), (3, 3), (2, 2), "custom", ((1, 1), (1, 1)), True),
    ((8, 7), (3, 3), (2, 2), "valid", ((0, 0), (0, 0)), True),
    ((9,), (3,), (2,), "custom", ((1, 1),), False),
    ((4, 5, 6), (2, 2, 2), (2, 2, 2), "valid", ((0, 0),) * 3, False),
]


@pytest.mark.parametrize(("size", "kernel", "strides", "pad_type", "pads", "ceil"), POOLS)
def test_pools_are_means_and_maxima_of_windows(
    size: Any, kernel: Any, strides: Any, pad_type: str, pads: Any, ceil: bool
) -> None:
    """In ceil mode the windows reach past the padding, where nothing is counted."""
    x = normal(1, 2, *size)
    options = {"kernel_sizes": kernel, "strides": strides, "pad_type": pad_type, "ceil_mode": ceil}
    if pad_type == "custom":
        options["pad"] = np.ravel(pads).astype(np.int32)
    made = program(
        lambda x: [
            mb.max_pool(x=x, **options),
            mb.avg_pool(x=x, **options),
            mb.avg_pool(x=x, exclude_padding_from_average=True, **options),
        ],
        x.shape,
    )
    got = mil.evaluate(made, {"x0": x})

    def around(value: float) -> Array:
        wide = np.pad(x, [(0, 0), (0, 0), *pads], constant_values=value)
        extra = [-(n - k) % s if ceil else 0 for n, k, s in zip(wide.shape[2:], kernel, strides, strict=True)]
        return np.pad(wide, [(0, 0), (0, 0), *((0, n) for n in extra)], constant_values=np.nan)

    np.testing.assert_array_equal(got["y0"], np.nanmax(windows(around(np.nan), kernel, strides), -1))
    np.testing.assert_allclose(got["y1"], np.nanmean(windows(around(0), kernel, strides), -1), atol=1e-6)
    np.testing.assert_allclose(got["y2"], np.nanmean(windows(around(np.nan), kernel, strides), -1), atol=1e-6)

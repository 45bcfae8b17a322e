"""How a file takes its photos: as which numbers, in which order of axes, and how many at a time."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from imageqx_export.model_spec import ModelSpec, TensorSpec
from imageqx_export.support.frozen import Frozen

ANY = -1
"""A size in a :class:`TensorSpec` that is chosen at run time, as in TFLite's and ONNX's own shapes."""
MOST = 1024
"""The largest fixed batch."""
_AT_ONCE = 8  # photos that a file of any batch gets at the same time


class InputKind(StrEnum):
    """What one photo is for a file: the numbers' type, and the order of the axes.

    ``uint8-nhwc`` takes bytes as a decoder gives them, ``float32-nhwc`` and ``float32-nchw`` take them divided by 255,
    as torchvision's ``ToTensor`` gives them. Mean and standard deviation are in the graph in all.
    """

    UINT8_NHWC = "uint8-nhwc"
    FLOAT32_NHWC = "float32-nhwc"
    FLOAT32_NCHW = "float32-nchw"

    @property
    def is_float(self) -> bool:
        """Whether it takes numbers in [0, 1], and not bytes."""
        return self is not InputKind.UINT8_NHWC

    @property
    def layout(self) -> Literal["NHWC", "NCHW"]:
        """The order of the axes."""
        return "NCHW" if self is InputKind.FLOAT32_NCHW else "NHWC"


class InputForm(Frozen):
    """What a file is fed.

    Args:
        kind: The numbers and the order of their axes.
        batch: How many photos at a time; None for any number.

    >>> InputForm(kind="float32-nchw", batch=None).suffix, InputForm(batch=4).suffix, InputForm().suffix
    ('_float32-nchw_dynamic', '_batch4', '')
    """

    kind: InputKind = InputKind.UINT8_NHWC
    batch: Annotated[int, Field(ge=1, le=MOST)] | None = 1

    @property
    def suffix(self) -> str:
        """What a file's name has before its ending; nothing of one photo of bytes."""
        kind = f"_{self.kind}" if self.kind.is_float else ""
        return kind + ("_dynamic" if self.batch is None else f"_batch{self.batch}" if self.batch > 1 else "")

    @property
    def name(self) -> str:
        """The form as the command line names it.

        >>> InputForm(batch=None).name
        'uint8-nhwc, batch dynamic'
        """
        return f"{self.kind}, batch {'dynamic' if self.batch is None else self.batch}"

    def describe(self, spec: ModelSpec) -> ModelSpec:
        """Return the ModelSpec of a file that takes its photos so.

        Args:
            spec: A checkpoint's, of one photo of bytes; for a file that takes that, it is returned as it is.
        """
        if self == DEFAULT_FORM:
            return spec
        first, size = ANY if self.batch is None else self.batch, spec.preprocessing
        sides = (3, size.height, size.width) if self.kind.layout == "NCHW" else (size.height, size.width, 3)
        float_ = self.kind.is_float
        image = TensorSpec(
            name=spec.inputs[0].name,
            shape=(first, *sides),
            dtype="float32" if float_ else "uint8",
            meaning="sRGB, 0…1: bytes divided by 255" if float_ else "sRGB, 0…255",
            range=(0.0, 1.0) if float_ else None,
        )
        outputs = tuple(one.model_copy(update={"shape": (first, *one.shape[1:])}) for one in spec.outputs)
        changes = {"layout": self.kind.layout}
        return spec.model_copy(
            update={"inputs": (image,), "outputs": outputs, "preprocessing": size.model_copy(update=changes)}
        )

    def feed(self, pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8] | NDArray[np.float32]]:
        """Yield what the file takes, a batch at a time.

        Args:
            pixels: uint8 [N,H,W,3].

        Yields:
            Arrays of this kind with the batch first. The last of a fixed batch is filled up with its last photo; what
            comes of that is dropped with ``outputs[:N]``.
        """
        size = self.batch or _AT_ONCE
        for begin in range(0, len(pixels), size):
            rows = pixels[begin : begin + size]
            if self.batch is not None and len(rows) < size:
                rows = np.concatenate([rows, rows[-1:].repeat(size - len(rows), axis=0)])
            yield self._convert(rows)

    def _convert(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8] | NDArray[np.float32]:
        if not self.kind.is_float:
            return rows
        numbers = rows.astype(np.float32) / np.float32(255)
        return np.ascontiguousarray(numbers.transpose(0, 3, 1, 2)) if self.kind.layout == "NCHW" else numbers


DEFAULT_FORM = InputForm()
"""One photo of bytes, which the apps feed."""


def read_form(spec: ModelSpec) -> InputForm:
    """Return how the file of a ModelSpec takes its photos.

    Raises:
        ValueError: It has none or several inputs, or one that no export writes; the message says which.
    """
    shown = "; ".join(f"{tensor.dtype} {list(tensor.shape)}" for tensor in spec.inputs) or "none"
    size, layout = spec.preprocessing, spec.preprocessing.layout
    if len(spec.inputs) != 1 or len(spec.inputs[0].shape) != 4:
        raise ValueError(shown)
    image = spec.inputs[0]
    sides = (3, size.height, size.width) if layout == "NCHW" else (size.height, size.width, 3)
    known = {(kind.is_float, kind.layout): kind for kind in InputKind}
    kind = known.get((image.dtype == "float32", layout))
    batch = None if image.shape[0] == ANY else image.shape[0]
    if kind is None or image.shape[1:] != sides or (batch is not None and not 1 <= batch <= MOST):
        raise ValueError(shown)
    if image.range != ((0.0, 1.0) if kind.is_float else None):
        raise ValueError(f"{shown} of the range {image.range}")
    return InputForm(kind=kind, batch=batch)

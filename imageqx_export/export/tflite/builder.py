"""Build flatbuffers in which nothing is written twice; imported where one is written, as the library is optional."""

from __future__ import annotations

from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

_ALIGNMENT = 16  # schema.fbs: Buffer.data is (force_align: 16)


class Builder(flatbuffers.Builder):  # type: ignore[misc]
    """A builder of flatbuffers in which equal vectors of numbers are one vector; readers cannot tell.

    A per-channel tensor has an int64 zero point for each channel, all 0: unshared, they are a tenth of an int8 file.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, int, bytes], int] = {}

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802 - flatbuffers' name
        """Write a vector, or return where an equal one is; bytes are aligned as the schema wants buffers to be."""
        key = x.dtype.str, len(x), x.tobytes()
        if key not in self._written:
            if x.dtype == np.uint8:
                self.StartVector(1, len(x), _ALIGNMENT)
                head = int(self.head) - len(x)
                self.head: int = head
                self.Bytes[head : head + len(x)] = key[2]
                self._written[key] = self.EndVector()
            else:
                self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]

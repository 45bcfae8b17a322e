"""Arrays in files: read bounded in size, of numbers alone, and never as a pickle, whoever wrote them."""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.errors import MeasurementError
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.untrusted import UntrustedError, describe, read_bytes

MOST_ARRAYS = 256 * 2**20
"""Bytes of one file of arrays, and of one array in it, inflated."""
_KINDS = "bfiu"  # numpy.dtype.kind: truth values, floats, integers


def read_arrays(source: Path | bytes, where: object) -> dict[str, NDArray[Any]]:
    """Return the arrays of a ``.npz``, by name.

    Args:
        source: The file, or its content.
        where: What wrote it, for the message.

    Raises:
        MeasurementError: It is no such file, is cut off or damaged, holds something else than numbers, or is too large.
    """
    with translate_errors(
        lambda error: MeasurementError(
            "the arrays cannot be read", where=str(where), got=describe(error), remedy="run it again"
        )
    ):
        content = source if isinstance(source, bytes) else read_bytes(source, MOST_ARRAYS)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name.removesuffix(".npy"): _read_array(archive, name) for name in archive.namelist()}


def _read_array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as file:
        content = io.BytesIO(file.read(MOST_ARRAYS + 1))
    if content.getbuffer().nbytes > MOST_ARRAYS:
        raise UntrustedError(f"{name} has more than {MOST_ARRAYS:,} bytes")
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, by_columns, dtype = read_header[np.lib.format.read_magic(content)](content)
    data = content.getbuffer()[content.tell() :]
    if dtype.kind not in _KINDS or data.nbytes != math.prod(shape) * dtype.itemsize:
        raise UntrustedError(f"{name} says that it is {dtype} {list(shape)[:8]}, and has {data.nbytes:,} bytes")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C").copy()


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as a ``.npz``, which :func:`read_arrays` reads."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def digest_array(array: NDArray[Any]) -> str:
    """Return the SHA-256 of an array's type, shape and numbers, in hexadecimal."""
    found = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()

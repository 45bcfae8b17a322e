"""Arrays that another process wrote: numbers of a size that fits, and nothing else."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageqx_export.errors import MeasurementError
from imageqx_export.support import arrays
from imageqx_export.support.arrays import read_arrays


def save(**values: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **values)
    return file.getvalue()


def pack(content: bytes) -> bytes:
    """Return a zip whose checksums are right, and whose one array is anything."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", content)
    return file.getvalue()


def header(shape: object, descr: str = "<f4") -> bytes:
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("dtype", ["<f4", "<f2", ">f8", "|u1", "<i8", "|b1"])
def test_what_numpy_writes_comes_back(tmp_path: Path, dtype: str) -> None:
    right = {
        "rows": np.arange(12).reshape(3, 4).astype(dtype),
        "columns": np.asfortranarray(np.eye(3, 2).astype(dtype)),
    }
    (tmp_path / "a.npz").write_bytes(save(**right))
    found = read_arrays(tmp_path / "a.npz", "a")
    with np.load(tmp_path / "a.npz") as theirs:
        assert list(found) == list(theirs)
        for name, values in found.items():
            np.testing.assert_array_equal(values, theirs[name])
            assert values.dtype == theirs[name].dtype and values.flags.writeable


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a zip",
        save(a=np.ones(9, np.float32))[:-40],
        save(a=np.array([{}], object)),
        pack(b""),
        pack(b"\x93NUMPY\7\0"),
        pack(header((2**60,))),
        pack(header((-1,)) + bytes(4)),
        pack(header((2, 2)) + bytes(12)),
        pack(header("x") + bytes(4)),
        pack(header((1,), "|O") + pickle.dumps([print])),
        pack(header((1,), "<c8") + bytes(8)),
        pack(header((1,), "|V4") + bytes(4)),
    ],
)
def test_anything_else_is_refused_with_its_place(content: bytes) -> None:
    with pytest.raises(MeasurementError, match="the arrays cannot be read") as caught:
        read_arrays(content, "adb:0123: a.onnx")
    assert caught.value.where == "adb:0123: a.onnx" and caught.value.got


def test_no_more_is_inflated_than_an_answer_has(monkeypatch: pytest.MonkeyPatch) -> None:
    content = save(a=np.zeros(100_000, np.uint8))
    assert len(content) < 1000 and read_arrays(content, "a")["a"].nbytes == 100_000
    monkeypatch.setattr(arrays, "MOST_ARRAYS", 50_000)
    with pytest.raises(MeasurementError, match="more than 50,000 bytes"):
        read_arrays(content, "a")

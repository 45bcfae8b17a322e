"""What the GPU's worker may write into a buffer, judged on LiteRT's own CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert.compiled_model")

from ai_edge_litert.compiled_model import CompiledModel

from imageqx_export.compat.gpu.worker import check_kinds
from imageqx_export.export.tflite import flatbuffer
from tests.export.tflite.test_accelerators import PIXELS, Graph, entry


def load(graph: Graph, folder: Path) -> Any:
    path = folder / "made.tflite"
    path.write_bytes(flatbuffer.write(graph.model))
    return CompiledModel.from_file(str(path))


def make_float_entry() -> Graph:
    made = Graph()
    source, target = made.tensor(PIXELS.shape, "FLOAT32"), made.tensor(PIXELS.shape, "FLOAT32")
    made.operator("RELU", [source], target)
    made.ends(source, target)
    return made


def test_photos_of_the_inputs_type_and_shape_are_taken(tmp_path: Path) -> None:
    check_kinds(load(entry(integers=False), tmp_path), PIXELS)


@pytest.mark.parametrize(
    ("graph", "pixels", "sentence"),
    [
        (make_float_entry(), PIXELS, r"the input is float32 .*, the photos are uint8"),
        (entry(integers=False), PIXELS[:, :4], r"\[1, 8, 32, 3\], the photos are uint8 \[1, 4, 32, 3\]"),
        (entry(integers=True), PIXELS, "the output .* is int8, not float32"),
    ],
    ids=["bytes for floats", "half a photo", "integers for floats"],
)
def test_what_a_buffer_would_take_as_raw_bytes_is_refused(
    graph: Graph, pixels: Any, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match=sentence):
        check_kinds(load(graph, tmp_path), np.ascontiguousarray(pixels))

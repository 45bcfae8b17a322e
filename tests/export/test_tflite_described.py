"""TFLITE_METADATA of a tiny model; ``make test-release`` has TensorFlow Lite's own Java reader read a whole one."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageqx_export import networks
from imageqx_export.artifact import Checkpoint
from imageqx_export.export.tflite import flatbuffer
from imageqx_export.export.tflite.described import NAME, add_metadata, write_label_files, write_metadata

SPEC = networks.spec("imageqx")


def read_table(content: bytes, at: int) -> dict[int, int]:
    """Return where a flatbuffer's table has each of its fields, by slot: the format's own rules, by hand."""
    (back,) = struct.unpack_from("<i", content, at)
    table = at - back
    (size,) = struct.unpack_from("<H", content, table)
    slots = struct.unpack_from(f"<{(size - 4) // 2}H", content, table + 4)
    return {slot: at + offset for slot, offset in enumerate(slots) if offset}


def follow(content: bytes, at: int) -> int:
    """Return where an offset leads."""
    return at + int(struct.unpack_from("<I", content, at)[0])


def read_text(content: bytes, at: int) -> str:
    place = follow(content, at)
    (size,) = struct.unpack_from("<I", content, place)
    return content[place + 4 : place + 4 + size].decode()


def read_vector(content: bytes, at: int) -> list[int]:
    place = follow(content, at)
    (count,) = struct.unpack_from("<I", content, place)
    return [follow(content, place + 4 + 4 * index) for index in range(count)]


def test_the_tables_say_what_the_spec_says() -> None:
    content = write_metadata(SPEC, ["attention", "quality", "explanations"], "1")
    assert content[4:8] == b"M001"
    model = read_table(content, follow(content, 0))
    assert read_text(content, model[0]) == "imageqx" and read_text(content, model[7]) == "1.0.0"
    (graph,) = (read_table(content, at) for at in read_vector(content, model[3]))
    (image,) = (read_table(content, at) for at in read_vector(content, graph[2]))
    assert read_text(content, image[0]) == "image"
    outputs = [read_table(content, at) for at in read_vector(content, graph[3])]
    assert [read_text(content, one[0]) for one in outputs] == ["attention", "quality", "explanations"]
    files = [[read_table(content, at) for at in read_vector(content, one[6])] if 6 in one else [] for one in outputs]
    assert [[read_text(content, file[0]) for file in row] for row in files] == [
        [],
        ["quality_labels.txt"],
        ["explanations_labels.txt"],
    ]
    assert all(content[file[2]] == 2 for row in files for file in row)  # labels of an axis


def test_the_label_files_are_the_labels() -> None:
    files = write_label_files(SPEC)
    assert files["quality_labels.txt"].splitlines() == list(SPEC.labels)
    assert files["explanations_labels.txt"].splitlines() == list(SPEC.reasons)


def test_a_model_keeps_its_own_metadata_and_alignment() -> None:
    schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model, graph, signature = schema.ModelT(), schema.SubGraphT(), schema.SignatureDefT()
    names = [*(one.name for one in SPEC.inputs), *(one.name for one in SPEC.outputs)]
    graph.tensors = [schema.TensorT() for _ in names]
    graph.inputs, graph.outputs, graph.operators = np.array([0], np.int32), np.array([3, 1, 2], np.int32), []
    rows = []
    for index, name in enumerate(names):
        row = schema.TensorMapT()
        row.name, row.tensorIndex = name.encode(), index
        rows.append(row)
        graph.tensors[index].name, graph.tensors[index].shape = name.encode(), np.array([1], np.int32)
    signature.inputs, signature.outputs, signature.signatureKey = rows[:1], rows[1:], b"serving_default"
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data, entry.name, entry.buffer = np.arange(7, dtype=np.uint8), b"min_runtime_version", 0
    model.version, model.subgraphs, model.signatureDefs, model.operatorCodes = 3, [graph], [signature], []
    model.buffers, model.metadata = [buffer], [entry]
    add_metadata(model, Checkpoint(path=Path("a"), sha256="0" * 64, spec=SPEC))
    content = flatbuffer.write(model)
    again = flatbuffer.read(content)
    assert [one.name for one in again.metadata] == [b"min_runtime_version", NAME]
    raw = bytes(again.buffers[again.metadata[1].buffer].data)
    assert raw == write_metadata(SPEC, ["attention", "quality", "explanations"], "0" * 12)
    assert content.index(raw) % 16 == 0

"""Where bytes are: on files made here part by part, and on the six real artifacts."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from imageqx_export.artifact import Format
from imageqx_export.errors import ArtifactError, UnknownNameError
from imageqx_export.report.sizes.parts import Part, Sizes, compare_sizes, sum_parts
from imageqx_export.report.sizes.readers import read_sizes
from imageqx_export.support.core_ml import _load_messages
from imageqx_export.support.files import count_bytes
from tests.conftest import EXPORTED


def by_name(sizes: Sizes) -> dict[tuple[str, str], int]:
    return {(part.section, part.name): part.bytes for part in sizes.parts}


def write_tflite(path: Path, weights: dict[str, bytes], *, zipped: bytes = b"") -> None:
    """Write a flatbuffer with one buffer a tensor, and one of metadata."""
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.buffers = 3, [schema.BufferT()]
    graph.tensors = []
    for name, content in weights.items():
        buffer = schema.BufferT()
        buffer.data = list(content)
        model.buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.name, tensor.buffer = name, len(model.buffers) - 1
        graph.tensors.append(tensor)
    shared = schema.TensorT()  # shares the first's buffer
    shared.name, shared.buffer = "shared", 1
    graph.tensors.append(shared)
    about = schema.BufferT()
    about.data = list(b"1.5.0")
    model.buffers.append(about)
    entry = schema.MetadataT()
    entry.name, entry.buffer = "min_runtime_version", len(model.buffers) - 1
    model.metadata, model.subgraphs = [entry], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    if zipped:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("spec.json", zipped)


def test_a_tflite_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    write_tflite(path, {"conv.weight": bytes(range(200)), "conv.bias": b"1234"}, zipped=b"x" * 77)
    sizes = read_sizes(path)
    found = by_name(sizes)
    structure = found.pop(("structure", "everything between"))
    assert found == {
        ("weights", "conv.weight"): 200,
        ("weights", "conv.bias"): 4,
        ("metadata", "min_runtime_version"): 5,
        ("metadata", "spec.json"): 77,
    }
    assert structure == path.stat().st_size - 286
    assert sizes.total == path.stat().st_size


def test_a_tflite_file_whose_weights_lie_after_the_flatbuffer(tmp_path: Path) -> None:
    """As ai-edge-quantizer writes it: a buffer has an offset into the file, and no data of its own."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, graph, tensor = schema.ModelT(), schema.SubGraphT(), schema.TensorT()
    outside = schema.BufferT()
    outside.offset, outside.size = 4096, 300
    tensor.name, tensor.buffer = "w", 1
    graph.tensors = [tensor]
    model.version, model.buffers, model.subgraphs = 3, [schema.BufferT(), outside], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "a.tflite"
    path.write_bytes(bytes(builder.Output()).ljust(4096, b"\0") + b"w" * 300)
    assert by_name(read_sizes(path)) == {("weights", "w"): 300, ("structure", "everything between"): 4096}


def write_onnx(path: Path, shape: tuple[int, ...] = (3, 4)) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.ones(shape, np.float32), "w")
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    nodes.append(helper.make_node("MatMul", ["z", "w"], ["out"]))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, shape[0]])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, shape[1]])],
        [weight],
    )
    model = helper.make_model(graph)
    helper.set_model_props(model, {"spec": "{}é"})
    onnx.save(model, str(path))


def test_an_onnx_file(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    write_onnx(path)
    sizes = read_sizes(path)
    found = by_name(sizes)
    assert 48 <= found["weights", "w"] <= 48 + 20  # 12 floats, and the tensor's own header
    assert found["metadata", "spec"] == 4 + 4  # é has two bytes
    assert set(sizes.sections) == {"weights", "graph", "metadata", "structure"}
    assert {name for section, name in found if section == "graph"} == {"Relu", "MatMul"}
    assert sum(found.values()) == path.stat().st_size


def write_mlpackage(path: Path, blobs: dict[str, bytes]) -> None:
    """Write a package by hand: StorageFormat.hpp's headers of 64 bytes, data at multiples of 64."""
    messages: Any = _load_messages()
    spec = messages.Model()
    spec.description.metadata.userDefined["spec"] = "{}"
    function = spec.mlProgram.functions["main"]
    function.opset = "CoreML6"
    block = function.block_specializations["CoreML6"]
    weights = struct.pack("<II56x", len(blobs), 2)
    for name, content in blobs.items():
        for copy in ("", "_again"):  # a second constant of the same bytes
            constant = block.operations.add()
            constant.type = "const"
            constant.outputs.add().name = name + copy
            value = constant.attributes["val"].blobFileValue
            value.fileName, value.offset = "@model_path/weights/weight.bin", len(weights)
        weights += struct.pack("<IIQQ40x", 0xDEADBEEF, 1, len(content), len(weights) + 64)
        weights += content + bytes(-len(content) % 64)
    data = path / "Data" / "com.apple.CoreML"
    (data / "weights").mkdir(parents=True)
    (data / "weights" / "weight.bin").write_bytes(weights)
    (data / "model.mlmodel").write_bytes(spec.SerializeToString())
    item = {"path": "com.apple.CoreML/model.mlmodel"}
    (path / "Manifest.json").write_text(json.dumps({"rootModelIdentifier": "1", "itemInfoEntries": {"1": item}}))


def test_a_core_ml_package(tmp_path: Path) -> None:
    path = tmp_path / "a.mlpackage"
    write_mlpackage(path, {"conv_weight": b"w" * 100, "conv_bias": b"b" * 8})
    sizes = read_sizes(path)
    found = by_name(sizes)
    assert (found["weights", "conv_weight"], found["weights", "conv_bias"]) == (100, 8)
    assert ("weights", "conv_weight_again") not in found
    assert found["metadata", "spec"] == 6
    assert found["file", "Manifest.json"] == (path / "Manifest.json").stat().st_size
    assert found["graph", "const"] > 0
    assert sum(found.values()) == sizes.total == count_bytes(path)


def test_the_artifacts(exported: Path) -> None:
    """Every byte is somewhere; the weights are the bulk, and half as many bytes in fp16."""
    found = {}
    for path in (exported / f"imageqx_{p}{format.suffix}" for p in EXPORTED for format in Format):
        sizes = found[path.name] = read_sizes(path)
        assert sum(part.bytes for part in sizes.parts) == sizes.total == count_bytes(path)
        assert sizes.total - sizes.sections["weights"] < 230_000 < 0.06 * sizes.total
    # What stays in float32: 1.5 % of the weights, and of TFLite's the depthwise ones too.
    for suffix, kept in ((".onnx", 0.015), (".mlpackage", 0.015), (".tflite", 0.06)):
        half, full = (found[f"imageqx_{p}{suffix}"].sections["weights"] for p in ("fp16", "fp32"))
        assert half / full == pytest.approx((1 + kept) / 2, abs=0.01)


def test_the_artifacts_against_their_weights_as_arrays(exported: Path) -> None:
    import onnx

    parts = by_name(read_sizes(exported / "imageqx_fp32.onnx"))
    for tensor in onnx.load(str(exported / "imageqx_fp32.onnx")).graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        assert array.nbytes <= parts["weights", tensor.name] <= array.nbytes + len(tensor.name) + 40


names = st.tuples(st.sampled_from(["weights", "graph", "metadata"]), st.sampled_from("abcdef"))
made = st.dictionaries(names, st.integers(0, 10_000), max_size=10)


@given(before=made, after=made, more=st.integers(0, 100))
def test_changes_sum_up_to_the_files_difference(
    before: dict[tuple[str, str], int], after: dict[tuple[str, str], int], more: int
) -> None:
    def sizes(parts: dict[tuple[str, str], int]) -> Sizes:
        found = [Part(section=section, name=name, bytes=n) for (section, name), n in parts.items()]
        return sum_parts("a.onnx", sum(parts.values()) + more, found)

    old, new = sizes(before), sizes(after)
    changes = compare_sizes(old, new)
    assert sum(change.change for change in changes) == new.total - old.total
    assert all(change.before != change.after for change in changes)
    assert [abs(change.change) for change in changes] == sorted((abs(c.change) for c in changes), reverse=True)
    assert compare_sizes(new, new) == ()


def test_a_change_is_named(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    write_onnx(tmp_path / "old" / "a.onnx")
    write_onnx(tmp_path / "a.onnx", shape=(3, 5))
    changes = compare_sizes(read_sizes(tmp_path / "old" / "a.onnx"), read_sizes(tmp_path / "a.onnx"))
    assert [(c.section, c.name, c.change) for c in changes] == [("weights", "w", 12)]


def test_parts_that_do_not_sum_up_are_refused() -> None:
    with pytest.raises(ValidationError, match="the parts of a are 3 bytes, the file has 4"):
        Sizes(artifact="a", total=4, parts=(Part(section="weights", name="w", bytes=3),))
    with pytest.raises(ValidationError, match="each part of a once"):
        Sizes(artifact="a", total=2, parts=(Part(section="weights", name="w", bytes=1),) * 2)
    with pytest.raises(ArtifactError, match="more than the file"):
        sum_parts("a", 2, [Part(section="weights", name="w", bytes=3)])


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", ["a.tflite", "a.onnx"])
def test_broken_files_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_tflite(path, {"w": bytes(4000)}) if path.suffix == ".tflite" else write_onnx(path, (30, 40))
    _cut(path)
    with pytest.raises(ArtifactError):
        read_sizes(path)
    path.write_bytes(b"nothing of the kind" * 9)
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_sizes(path)


def test_broken_packages_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mlpackage"
    write_mlpackage(path, {"w": b"w" * 100})
    weights = path / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"
    content = weights.read_bytes()
    weights.write_bytes(content[:64] + b"\0" * 4 + content[68:])
    with pytest.raises(ArtifactError, match="no blob at 64"):
        read_sizes(path)
    weights.write_bytes(content[:70])
    with pytest.raises(ArtifactError, match="no blob at 64"):
        read_sizes(path)
    weights.write_bytes(content)
    item = {"path": "../../../elsewhere"}
    (path / "Manifest.json").write_text(json.dumps({"rootModelIdentifier": "1", "itemInfoEntries": {"1": item}}))
    with pytest.raises(ArtifactError, match="no file of the package"):
        read_sizes(path)
    (path / "Manifest.json").unlink()
    with pytest.raises(ArtifactError, match=r"no readable Manifest\.json"):
        read_sizes(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown kind of artifact 'a\.pt'"):
        read_sizes(tmp_path / "a.pt")
    with pytest.raises(ArtifactError, match="no such artifact"):
        read_sizes(tmp_path / "a.onnx")

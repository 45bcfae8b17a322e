"""Find the parts of each format's files, with the formats' own libraries; what is no part is structure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imageqx_export.artifact import Format
from imageqx_export.errors import ArtifactError, UnknownNameError
from imageqx_export.report.sizes.parts import Part, Sizes, sum_parts
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.core_ml import find_root_model, read_core_ml
from imageqx_export.support.files import count_bytes, list_files
from imageqx_export.support.libraries import require
from imageqx_export.support.untrusted import describe, name_error
from imageqx_export.support.zipped import list_zipped

_WEIGHTS, _GRAPH, _METADATA, _FILE = "weights", "graph", "metadata", "file"
_OUTSIDE = 1  # a buffer's Offset: 0 and 1 mean that its data are in the flatbuffer (schema.fbs, Buffer)
_BLOB = struct.Struct(
    "<IIQQ"
)  # sentinel, dtype, bytes, offset (coremltools, mlmodel/src/MILBlob/Blob/StorageFormat.hpp)
_SENTINEL = 0xDEADBEEF


def read_tflite(path: Path) -> list[Part]:
    """Return the tensors' buffers by name, the metadata's buffers, and the entries of the appended zip.

    Of tensors that share a buffer the first names it. ``structure`` is the flatbuffer's tables and padding and the
    zip's directory.

    Args:
        path: A ``.tflite`` file.
    """
    require("ai_edge_litert")
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise _make_error(path, "no TFLite flatbuffer: the identifier TFL3 is missing")
    model = schema.Model.GetRootAs(content, 0)
    names = _name_buffers(model)
    spans = {
        span: names.get(index, (_WEIGHTS, f"buffer {index} of no tensor"))
        for index in reversed(range(model.BuffersLength()))  # the first of those that share bytes names them
        if (span := _locate(model.Buffers(index)))[1]
    }
    parts = [Part(section=section, name=name, bytes=size) for (_, size), (section, name) in spans.items()]
    return [*reversed(parts), *_list_zipped(path)]


def _name_buffers(model: Any) -> dict[int, tuple[str, str]]:
    names: dict[int, tuple[str, str]] = {}
    for i in range(model.SubgraphsLength()):
        graph = model.Subgraphs(i)
        for k in range(graph.TensorsLength()):
            tensor = graph.Tensors(k)
            names.setdefault(tensor.Buffer(), (_WEIGHTS, (tensor.Name() or b"").decode("utf-8", "replace")))
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        names[entry.Buffer()] = (_METADATA, (entry.Name() or b"").decode("utf-8", "replace"))
    return names


def _locate(buffer: Any) -> tuple[int, int]:
    """Return where a buffer's data begin in the file, and how many bytes they are."""
    if buffer.Offset() > _OUTSIDE:
        return buffer.Offset(), buffer.Size()
    table = buffer._tab  # the vector's position has no public accessor
    offset = table.Offset(4)
    return (table.Vector(offset), table.VectorLen(offset)) if offset else (0, 0)


def _list_zipped(path: Path) -> Iterator[Part]:
    try:
        entries = list_zipped(path) or []  # a file of somebody else's has none
    except (OSError, ValueError) as error:
        raise _make_error(path, describe(error)) from error
    for entry in entries:
        yield Part(section=_METADATA, name=entry.filename, bytes=entry.compress_size)


def read_onnx(path: Path) -> list[Part]:
    """Return the initializers by name, the nodes by operation, and the metadata by key.

    Args:
        path: An ``.onnx`` file whose weights are in it.
    """
    require("onnx")
    import onnx as library

    model = library.load_model(str(path), load_external_data=False)
    graph = model.graph
    weights = [Part(section=_WEIGHTS, name=tensor.name, bytes=tensor.ByteSize()) for tensor in graph.initializer]
    nodes = [Part(section=_GRAPH, name=node.op_type, bytes=node.ByteSize()) for node in graph.node]
    shapes = [Part(section=_GRAPH, name="(shapes)", bytes=value.ByteSize()) for value in graph.value_info]
    about = [_measure_entry(row.key, row.value) for row in model.metadata_props]
    return [*weights, *nodes, *shapes, *about]


def read_coreml(path: Path) -> list[Part]:
    """Return the blobs of ``weight.bin`` by the constant's name, the operations by type, the metadata, other files.

    Args:
        path: A ``.mlpackage`` folder.
    """
    root = find_root_model(path)
    spec = read_core_ml(path)
    operations = [operation for block in _walk_blocks(spec) for operation in block.operations]
    parts = [Part(section=_GRAPH, name=operation.type, bytes=operation.ByteSize()) for operation in operations]
    parts += [_measure_entry(key, value) for key, value in sorted(spec.description.metadata.userDefined.items())]
    blobs = _list_blobs(root.parent, operations)
    parts += [Part(section=_WEIGHTS, name=name, bytes=size) for name, size in blobs.values()]
    known = {root, *(file for file, _ in blobs)}
    for file in list_files(path):
        if file not in known:
            name = file.relative_to(path).as_posix()
            parts.append(Part(section=_FILE, name=name, bytes=file.stat().st_size))
    return parts


def _walk_blocks(spec: Any) -> Iterator[Any]:
    for function in spec.mlProgram.functions.values():
        yield from function.block_specializations.values()


def _list_blobs(folder: Path, operations: list[Any]) -> dict[tuple[Path, int], tuple[str, int]]:
    """Return name and bytes of each blob, by its file and offset; of constants that share one the first names it."""
    found: dict[tuple[Path, int], tuple[str, int]] = {}
    for operation in operations:
        for value in operation.attributes.values():
            if value.WhichOneof("value") != "blobFileValue":
                continue
            blob = value.blobFileValue
            file = folder / blob.fileName.removeprefix("@model_path/")
            if (file, blob.offset) not in found:
                found[file, blob.offset] = (operation.outputs[0].name, _read_blob_size(folder, file, blob.offset))
    return found


def _read_blob_size(folder: Path, file: Path, offset: int) -> int:
    if folder.resolve() not in file.resolve().parents:
        raise _make_error(file, "a blob file outside the package")
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            sentinel, _, size, _ = _BLOB.unpack(stream.read(_BLOB.size))
    except (OSError, struct.error, OverflowError) as error:
        raise _make_error(file, f"no blob at {offset}: {error}") from error
    if sentinel != _SENTINEL:
        raise _make_error(file, f"no blob at {offset}: it begins with {sentinel:#x}, not {_SENTINEL:#x}")
    return int(size)


def _measure_entry(key: str, value: str) -> Part:
    return Part(section=_METADATA, name=key, bytes=len(key.encode()) + len(value.encode()))


def _make_error(where: Path, got: str) -> ArtifactError:
    return ArtifactError("the file cannot be read", where=where, got=got, remedy="imageqx export")


def read_sizes(path: Path) -> Sizes:
    """Say where the bytes of an artifact are.

    Args:
        path: An existing ``.tflite``, ``.onnx`` or ``.mlpackage``.

    Raises:
        UnknownNameError: It has another suffix.
        ArtifactError: It cannot be read, or says of itself what cannot be.
        UnavailableError: Its format's library is missing.
    """
    readers = {
        Format.TFLITE.suffix: read_tflite,
        Format.ONNX.suffix: read_onnx,
        Format.COREML.suffix: read_coreml,
    }
    if path.suffix not in readers:
        raise UnknownNameError("kind of artifact", path.name, readers)
    if not path.exists():
        raise ArtifactError("no such artifact", where=path, remedy="imageqx export")
    with translate_errors(lambda error: _make_error(path, name_error(error))):
        return sum_parts(path.name, count_bytes(path), readers[path.suffix](path))

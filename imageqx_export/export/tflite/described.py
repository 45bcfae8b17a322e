"""TFLITE_METADATA: what Android Studio and LiteRT's tools show of a file's inputs, outputs and labels.

The tables are written field by field, as ``metadata_schema.fbs`` of tflite-support numbers them (identifier M001); the
usual writer copies the model and loses the alignment of its buffers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from imageqx_export.artifact import Checkpoint, ModelSpec, TensorSpec
from imageqx_export.export.metadata import AUTHOR, LICENSE, describe_model

NAME: Final = b"TFLITE_METADATA"
_IDENTIFIER: Final = b"M001"
_PARSER: Final = "1.0.0"  # the first one knows every field that is used
_FEATURE, _IMAGE, _RGB, _NORMALIZATION, _AXIS_LABELS = 1, 2, 1, 1, 2


def list_labels(spec: ModelSpec) -> dict[str, tuple[str, ...]]:
    """Return the names of each output's columns, by output; of outputs whose columns have names.

    >>> from imageqx_export import networks
    >>> list_labels(networks.spec("imageqx"))["quality"]
    ('lesion', 'no_skin', 'healthy_skin', 'poor_quality')
    """
    named = {len(spec.labels): spec.labels} if spec.labels else {}
    named |= {len(spec.reasons): spec.reasons} if spec.reasons else {}
    found = {one.name: named[one.shape[1]] for one in spec.outputs if len(one.shape) == 2 and one.shape[1] in named}
    if spec.binary is not None and spec.binary.regions is not None:
        regions = spec.binary.regions
        found[regions.output] = tuple(part.name for part in regions.parts)
    return found


def name_labels_file(output: str) -> str:
    """Return the name, in the zip behind the model, of the file with an output's labels."""
    return f"{output}_labels.txt"


def write_label_files(spec: ModelSpec) -> dict[str, str]:
    """Return the files that the metadata speak of, by name: a label a line."""
    return {name_labels_file(output): "\n".join(names) + "\n" for output, names in list_labels(spec).items()}


def add_metadata(model: Any, checkpoint: Checkpoint) -> None:
    """Add the metadata to a ``ModelT``, in place; there must be none yet.

    Args:
        model: With one signature, which names the tensors as the ModelSpec does.
        checkpoint: Whose ModelSpec is told.
    """
    from ai_edge_litert import schema_py_generated as schema

    (signature,) = model.signatureDefs
    names = {one.tensorIndex: one.name.decode() for one in (*signature.inputs, *signature.outputs)}
    graph = model.subgraphs[0]
    order = [names[index] for index in graph.outputs]
    content = write_metadata(checkpoint.spec, order, checkpoint.sha256[:12])
    model.metadata = list(model.metadata or ())
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(content, np.uint8)
    entry.name, entry.buffer = NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata.append(entry)


def write_metadata(spec: ModelSpec, outputs: Sequence[str], version: str) -> bytes:
    """Return the metadata's flatbuffer.

    Args:
        spec: What the tensors mean.
        outputs: The outputs' names in the graph's own order, which may differ from the spec's.
        version: Of the model.
    """
    import flatbuffers  # type: ignore[import-untyped]

    builder = flatbuffers.Builder(1024)
    meanings = {one.name: one for one in spec.outputs}
    labels = list_labels(spec)
    image = _Table(
        builder,
        {0: spec.inputs[0].name, 1: spec.inputs[0].meaning},
        {3: _write_image(builder, spec), 4: _write_range(builder, spec)},
    ).end(7)
    ends = [_write_output(builder, meanings[name], labels.get(name)) for name in outputs]
    graph = _Table(builder, {0: spec.name}, {2: _write_vector(builder, [image]), 3: _write_vector(builder, ends)}).end(
        7
    )
    texts = {0: spec.name, 1: describe_model(spec), 2: version, 4: AUTHOR, 5: LICENSE, 7: _PARSER}
    builder.Finish(_Table(builder, texts, {3: _write_vector(builder, [graph])}).end(8), _IDENTIFIER)
    return bytes(builder.Output())


class _Table:
    """A table that is being written: its texts first, as nothing may be written while a table is open."""

    def __init__(self, builder: Any, texts: Mapping[int, str], offsets: Mapping[int, int]) -> None:
        self._builder = builder
        self._offsets = {**{slot: builder.CreateString(text) for slot, text in texts.items()}, **offsets}

    def end(self, slots: int, numbers: Mapping[int, int] | None = None) -> int:
        """Write the table and return where it is; ``numbers`` are its fields of one byte."""
        self._builder.StartObject(slots)
        for slot, offset in self._offsets.items():
            self._builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, number in (numbers or {}).items():
            self._builder.PrependUint8Slot(slot, number, 0)
        return int(self._builder.EndObject())


def _write_image(builder: Any, spec: ModelSpec) -> int:
    builder.StartObject(2)
    builder.PrependUint32Slot(0, spec.preprocessing.width, 0)
    builder.PrependUint32Slot(1, spec.preprocessing.height, 0)
    size = builder.EndObject()
    properties = _Table(builder, {}, {1: size}).end(2, {0: _RGB})
    return _Table(builder, {}, {1: properties}).end(3, {0: _IMAGE})


def _write_range(builder: Any, spec: ModelSpec) -> int:
    """Say what bytes are divided by before they enter: 1, or 255 of an input in [0, 1]; the graph normalises."""
    divisor = 1 if spec.inputs[0].range is None else 255
    mean, deviation = (builder.CreateNumpyVector(np.array([value], np.float32)) for value in (0, divisor))
    options = _Table(builder, {}, {0: mean, 1: deviation}).end(2)
    return _write_vector(builder, [_Table(builder, {}, {1: options}).end(2, {0: _NORMALIZATION})])


def _write_output(builder: Any, tensor: TensorSpec, labels: Sequence[str] | None) -> int:
    feature = _Table(builder, {}, {}).end(0)
    parts = {3: _Table(builder, {}, {1: feature}).end(3, {0: _FEATURE})}
    if labels:
        texts = {0: name_labels_file(tensor.name), 1: f"the columns of {tensor.name}"}
        parts[6] = _write_vector(builder, [_Table(builder, texts, {}).end(5, {2: _AXIS_LABELS})])
    return _Table(builder, {0: tensor.name, 1: tensor.meaning}, parts).end(7)


def _write_vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())

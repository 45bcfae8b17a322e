"""Read, change and write TFLite flatbuffers: short names, and nothing written twice."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

_IDENTIFIER = b"TFL3"
# litert-torch writes a module as path.to.Class_name, where name is what its parent calls it; the first has none.
_CLASS = re.compile(r"(?:[\w<>]+\.)+_?[A-Za-z0-9]+_?")


def read(content: bytes) -> Any:
    """Return a flatbuffer as a ``ModelT``, the schema's own object; every buffer's bytes are in it.

    ai-edge-quantizer writes the bytes behind the flatbuffer, as files over 2 GB need it, where they would stay behind.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(content), 0))
    for buffer in model.buffers:
        if buffer.offset > 1:  # 0 and 1 say that there are none
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
        buffer.offset = buffer.size = 0
    return model


def write(model: Any) -> bytes:
    """Return a ``ModelT`` as a flatbuffer."""
    from imageqx_export.export.tflite.builder import Builder

    builder = Builder(1 << 20)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def shorten_names(model: Any) -> int:
    """Leave of each tensor's name the modules' own names, in place; return how many changed.

    A signature has its names apart. Names stay different from one another, as tools that take the file further want
    them (ai-edge-quantizer).

    >>> from types import SimpleNamespace as Some
    >>> tensor = Some(name=b"a.b.PhoneGraph_inner/torch.nn.modules.container.Sequential_3/c.Conv2d_fc1;2")
    >>> shorten_names(Some(subgraphs=[Some(tensors=[tensor])])), tensor.name
    (1, b'3/fc1;2')
    """
    changed = 0
    for graph in model.subgraphs:
        seen: Counter[str] = Counter()
        for tensor in graph.tensors:
            name = _shorten_name(tensor.name.decode()) or "_"
            seen[name] += 1
            short = (name if seen[name] == 1 else f"{name}~{seen[name]}").encode()
            changed += short != tensor.name
            tensor.name = short
    return changed


def _shorten_name(name: str) -> str:
    whole, mark, number = name.split(";;")[0].partition(";")  # of fused operations the first
    parts = [_CLASS.sub("", part) for part in whole.split("/")]
    return "/".join(part for part in parts if part not in ("", "inner")) + mark * bool(number) + number

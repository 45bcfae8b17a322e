"""Write TFLite: litert-torch, a signature with named tensors, the ModelSpec as an appended zip."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageqx_export.artifact import Checkpoint, Format, ModelSpec, Precision
from imageqx_export.export.form import count_photos, make_example
from imageqx_export.export.metadata import header
from imageqx_export.export.tflite import flatbuffer
from imageqx_export.export.tflite.accelerators import (
    enter_by_dequantizing,
    enter_by_quantizing,
    pool_before_transposing,
    widen_normalisation,
)
from imageqx_export.export.tflite.described import add_metadata, write_label_files
from imageqx_export.export.tflite.entry import take_floats
from imageqx_export.export.tflite.halves import cast_weights, halve_biases
from imageqx_export.export.tflite.passes import (
    make_static_config,
    store_int8_weights,
    widen_gates,
    write_exact_integers,
)
from imageqx_export.export.tflite.stem import group_pixels
from imageqx_export.input_form import InputForm, read_form
from imageqx_export.networks.base import Network
from imageqx_export.runtimes.tflite import SIGNATURE, SPEC_ENTRY

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from imageqx_export.quantize.model import QuantizedModel

# A zip entry must have a date; the format's first day says "no date" and keeps the bytes the same on every run.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def explain_refused(form: InputForm, network: Network) -> str | None:
    """Return why no file takes its photos so, or None: shapes in a file are fixed, for delegates plan by them."""
    return None if form.batch is not None else "TFLite plans a file for a number of photos: name it"


def write(
    network: Network,
    checkpoint: Checkpoint,
    paths: Mapping[Precision, Path],
    quantized: Mapping[Precision, QuantizedModel],
) -> None:
    """Write one ``.tflite`` file per precision.

    fp16 and w8 store the weights as float16 (of all but the early stages and depthwise convolutions) or int8, and make
    them float32 when the file is opened; a phone's delegate computes in float16 where it can. w8a8 computes with
    integers from the pixels to the heads.

    Args:
        network: The trained network, eval mode.
        checkpoint: Where it comes from.
        paths: Where to, per precision.
        quantized: The quantized model of each quantized precision in ``paths``.

    Raises:
        ConversionError: The converter gave other weights than the network's.
    """
    single = b""
    if set(paths) - {Precision.W8A8}:
        single = bytes(convert(network.fold("NHWC"), checkpoint.spec).model_content())
    for precision, path in paths.items():
        content = cast_weights(single) if precision is Precision.FP16 else single
        if precision is Precision.W8A8:
            # litert-torch wants float weights and biases, and rounds them itself; write_exact_integers mends that.
            graph = quantized[precision].graph(batch=count_photos(checkpoint.spec), fold=False, biases=False)
            content = bytes(convert(graph, checkpoint.spec, make_static_config()).model_content())
        model, rounded = flatbuffer.read(content), False
        if precision is Precision.FP16:
            halve_biases(model)
        elif precision is Precision.W8:
            store_int8_weights(model, quantized[precision].weights())
        elif precision is Precision.W8A8:
            write_exact_integers(model, quantized[precision].weights())
            widen_gates(model)
            group_pixels(model)
            rounded = enter_by_quantizing(model)
        if not rounded:  # of integers too, where a first convolution of stride 1 has its pixels framed in float
            enter_by_dequantizing(model)
        if precision is not Precision.W8A8:
            widen_normalisation(model)
        pool_before_transposing(model)
        take_floats(model, read_form(checkpoint.spec), integers=rounded)
        flatbuffer.shorten_names(model)
        add_metadata(model, checkpoint)
        content = flatbuffer.write(model)
        about = header(checkpoint, Format.TFLITE, precision, quantized)
        path.write_bytes(content + _zip(about, write_label_files(checkpoint.spec), len(content)))


def convert(graph: Module, spec: ModelSpec, quant_config: Any = None) -> Any:
    """Return ``graph`` as a litert-torch model: the bare library call."""
    import litert_torch

    example = {spec.inputs[0].name: make_example(spec)}
    signature = litert_torch.signature(SIGNATURE, _wrap(graph, spec), sample_kwargs=example)
    return signature.convert(quant_config=quant_config)


def _wrap(graph: Module, spec: ModelSpec) -> Any:
    """Wrap ``graph`` so that it returns a dict: litert-torch takes the signature's names from its keys."""
    import torch

    names = [output.name for output in spec.outputs]

    class Named(torch.nn.Module):
        """A graph whose outputs have names."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = graph
            self.training = False  # eval() would ask a captured graph, which has no modes

        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return dict(zip(names, self.inner(image), strict=True))

    return Named()


def _zip(metadata: dict[str, str], others: Mapping[str, str], offset: int) -> bytes:
    """Return a zip of ``metadata`` and other files that is right when it follows ``offset`` other bytes."""
    buffer = io.BytesIO()
    buffer.write(b"\0" * offset)  # zip directories hold absolute offsets
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(SPEC_ENTRY, _NO_DATE), json.dumps(metadata, sort_keys=True))
        for name, text in others.items():
            archive.writestr(zipfile.ZipInfo(name, _NO_DATE), text)
    return buffer.getvalue()[offset:]

"""Write Core ML: an ML Program with an image input and the ModelSpec in its metadata."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageqx_export.artifact import Checkpoint, Format, ModelSpec, Precision
from imageqx_export.export.coreml.entry import make_inputs, wrap_graph
from imageqx_export.export.metadata import AUTHOR, LICENSE, describe_model, header
from imageqx_export.input_form import InputForm, read_form
from imageqx_export.networks.base import EARLY, Network, PhoneGraph
from imageqx_export.support.core_ml import name_minimum_ios

if TYPE_CHECKING:
    from imageqx_export.quantize.model import QuantizedModel

# What each needs: ML Programs are iOS 15, compressed weights 16, integer activations 17.
TARGETS = {Precision.FP32: "iOS16", Precision.FP16: "iOS16", Precision.W8: "iOS16", Precision.W8A8: "iOS17"}
ARITHMETIC = "float16 after the early stages, float32 before"
"""What Core ML computes in, weights and activations being integers or not; in the quantized artifacts' metadata."""


def explain_refused(form: InputForm, network: Network) -> str | None:
    """Return why no package takes its photos so, or None."""
    if form.batch is None:
        return "Core ML plans a package for a number of photos: name it"
    if form.batch > 1 and not form.kind.is_float:
        return "Core ML takes one image at a time: --input float32-nchw takes several, or feed an MLArrayBatchProvider"
    return None


def write(
    network: Network,
    checkpoint: Checkpoint,
    paths: Mapping[Precision, Path],
    quantized: Mapping[Precision, QuantizedModel],
) -> None:
    """Write one ``.mlpackage`` folder per precision.

    w8 is fp16 with int8 weights; w8a8 has a ``quantize`` and a ``dequantize`` around every operation but the heads'.

    Args:
        network: The trained network, eval mode.
        checkpoint: Where it comes from.
        paths: Where to, per precision.
        quantized: The quantized model of each quantized precision in ``paths``.
    """
    from imageqx_export.export.coreml.frontends import compress, export_program, find_late

    spec = checkpoint.spec
    floats = _trace(network.fold("NCHW"), spec) if {Precision.FP32, Precision.FP16} & set(paths) else None
    for precision, path in paths.items():
        graph = floats
        is_late: Callable[[Any], bool] = _is_after_early_stages
        if precision is Precision.W8:
            graph = _trace(compress(quantized[precision]), spec)
        if precision is Precision.W8A8:
            graph, is_late = export_program(quantized[precision], spec), find_late(quantized[precision])
        model = convert(graph, checkpoint.spec, precision, is_late)
        _describe(model, checkpoint, precision, quantized)
        model.save(str(path))
        _normalise(path)


def _trace(graph: PhoneGraph, spec: ModelSpec) -> Any:
    import torch

    entered = wrap_graph(graph, spec)
    return torch.jit.trace(entered, make_inputs(spec))  # type: ignore[no-untyped-call]


def _is_after_early_stages(operation: Any) -> bool:
    from coremltools.converters.mil.mil.scope import ScopeSource

    return EARLY not in operation.scopes.get(ScopeSource.TORCHSCRIPT_MODULE_NAME, ())


def convert(
    graph: Any, spec: ModelSpec, precision: Precision, is_late: Callable[[Any], bool] = _is_after_early_stages
) -> Any:
    """Return a graph as an ``MLModel``: the bare library call.

    Args:
        graph: Traced by ``torch.jit``, or a ``torch.export.ExportedProgram`` in the ATen dialect; NCHW.
        spec: What its input and outputs are called.
        precision: The numeric scheme.
        is_late: Whether a MIL operation computes in float16; not asked for fp32.
    """
    import coremltools as ct
    import numpy as np

    recipe, image = spec.preprocessing, spec.inputs[0]
    if read_form(spec).kind.is_float:
        taken = ct.TensorType(name=image.name, shape=image.shape, dtype=np.float32)
    else:
        shape = (1, 3, recipe.height, recipe.width)
        taken = ct.ImageType(name=image.name, shape=shape, color_layout=ct.colorlayout.RGB)
    model = ct.convert(
        graph,
        convert_to="mlprogram",
        minimum_deployment_target=getattr(ct.target, TARGETS[precision]),
        compute_precision=ct.precision.FLOAT32
        if precision is Precision.FP32
        else ct.transform.FP16ComputePrecision(op_selector=is_late),
        inputs=[taken],
        outputs=[ct.TensorType(name=output.name, dtype=np.float32) for output in spec.outputs],
        skip_model_load=True,
    )
    # Without the MIL program, which would save a map of torch.export's debug handles with it.
    return ct.models.MLModel(model.get_spec(), weights_dir=model.weights_dir, skip_model_load=True)


def _describe(
    model: Any, checkpoint: Checkpoint, precision: Precision, quantized: Mapping[Precision, QuantizedModel]
) -> None:
    spec = checkpoint.spec
    model.author, model.license, model.short_description = AUTHOR, LICENSE, describe_model(spec)
    model.version = checkpoint.sha256[:12]
    model.input_description[spec.inputs[0].name] = spec.inputs[0].meaning
    for output in spec.outputs:
        model.output_description[output.name] = output.meaning
    model.user_defined_metadata.clear()  # coremltools' own entries hold the date of the conversion
    ios = name_minimum_ios(model.get_spec().specificationVersion)
    for key, value in header(checkpoint, Format.COREML, precision, quantized, ios).items():
        model.user_defined_metadata[key] = value
    if precision in quantized:
        model.user_defined_metadata["arithmetic"] = ARITHMETIC


def _normalise(path: Path) -> None:
    """Make the package's bytes depend on its contents alone: fixed identifiers, sorted maps."""
    from coremltools.proto import Model_pb2

    manifest_path = path / "Manifest.json"
    manifest = json.loads(manifest_path.read_text())
    renamed = {old: _make_identifier(item["path"]) for old, item in manifest["itemInfoEntries"].items()}
    manifest["itemInfoEntries"] = {renamed[old]: item for old, item in manifest["itemInfoEntries"].items()}
    manifest["rootModelIdentifier"] = renamed[manifest["rootModelIdentifier"]]
    manifest_path.write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n")
    program_path = path / "Data" / "com.apple.CoreML" / "model.mlmodel"
    program = Model_pb2.Model.FromString(program_path.read_bytes())
    program_path.write_bytes(program.SerializeToString(deterministic=True))


def _make_identifier(item_path: str) -> str:
    """Return a UUID that is a function of the item's path (version 5, RFC 9562 section 5.5)."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, item_path))

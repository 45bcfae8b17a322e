"""Write Core ML: an ML Program for iOS 16 and later, with an image input and the ModelSpec in its metadata."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imageqx_export.artifact import Checkpoint, ModelSpec, Precision
from imageqx_export.export.graph import EARLY, PhoneGraph
from imageqx_export.export.header import AUTHOR, DESCRIPTION, LICENSE, header
from imageqx_export.networks.imageqx import ImageQX

LIBRARIES = {"coremltools": "coremltools"}
MINIMUM_TARGET = "iOS16"


def write(network: ImageQX, checkpoint: Checkpoint, paths: Mapping[Precision, Path]) -> None:
    """Write one ``.mlpackage`` folder per precision.

    Args:
        network: The trained network, eval mode.
        checkpoint: Where it comes from.
        paths: Where to, per precision.
    """
    import torch

    recipe = checkpoint.spec.preprocessing
    example = torch.zeros(1, 3, recipe.height, recipe.width)
    traced = torch.jit.trace(  # type: ignore[no-untyped-call]
        PhoneGraph(network, "NCHW"), example
    )
    for precision, path in paths.items():
        model = convert(traced, checkpoint.spec, precision)
        _describe(model, checkpoint, precision)
        model.save(str(path))
        _normalise(path)


def convert(traced: Any, spec: ModelSpec, precision: Precision) -> Any:
    """Return a traced graph as an ``MLModel``: the bare library call."""
    import coremltools as ct
    import numpy as np

    recipe = spec.preprocessing
    image = ct.ImageType(
        name=spec.inputs[0].name, shape=(1, 3, recipe.height, recipe.width), color_layout=ct.colorlayout.RGB
    )
    return ct.convert(
        traced,
        convert_to="mlprogram",
        minimum_deployment_target=getattr(ct.target, MINIMUM_TARGET),
        compute_precision=_compute_precision(precision),
        inputs=[image],
        outputs=[ct.TensorType(name=output.name, dtype=np.float32) for output in spec.outputs],
        skip_model_load=True,
    )


def _compute_precision(precision: Precision) -> Any:
    import coremltools as ct
    from coremltools.converters.mil.mil.scope import ScopeSource

    def after_the_early_stages(operation: Any) -> bool:
        return EARLY not in operation.scopes.get(ScopeSource.TORCHSCRIPT_MODULE_NAME, ())

    if precision is Precision.FP32:
        return ct.precision.FLOAT32
    return ct.transform.FP16ComputePrecision(op_selector=after_the_early_stages)


def _describe(model: Any, checkpoint: Checkpoint, precision: Precision) -> None:
    spec = checkpoint.spec
    model.author, model.license, model.short_description = AUTHOR, LICENSE, DESCRIPTION
    model.version = checkpoint.sha256[:12]
    model.input_description[spec.inputs[0].name] = spec.inputs[0].meaning
    for output in spec.outputs:
        model.output_description[output.name] = output.meaning
    model.user_defined_metadata.clear()  # coremltools' own entries hold the date of the conversion
    for key, value in header(checkpoint, precision).items():
        model.user_defined_metadata[key] = value


def _normalise(path: Path) -> None:
    """Make the package's bytes depend on its contents alone: fixed identifiers, sorted maps."""
    from coremltools.proto import Model_pb2

    manifest_path = path / "Manifest.json"
    manifest = json.loads(manifest_path.read_text())
    renamed = {old: _identifier(item["path"]) for old, item in manifest["itemInfoEntries"].items()}
    manifest["itemInfoEntries"] = {renamed[old]: item for old, item in manifest["itemInfoEntries"].items()}
    manifest["rootModelIdentifier"] = renamed[manifest["rootModelIdentifier"]]
    manifest_path.write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n")
    program_path = path / "Data" / "com.apple.CoreML" / "model.mlmodel"
    program = Model_pb2.Model.FromString(program_path.read_bytes())
    program_path.write_bytes(program.SerializeToString(deterministic=True))


def _identifier(item_path: str) -> str:
    """Return a UUID that is a function of the item's path (version 5, RFC 9562 section 5.5)."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, item_path))

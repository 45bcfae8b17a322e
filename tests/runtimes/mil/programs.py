"""MIL programs and packages made on the spot, for what tests them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageqx_export.networks.imageqx.spec import spec

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ct = pytest.importorskip("coremltools")
    from coremltools.converters.mil import Builder, mil
    from coremltools.converters.mil.mil import Function, Program


mb, types = Builder, mil.types
Array = np.ndarray[Any, Any]
Build = Callable[..., Any]
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
MODEL = "Data/com.apple.CoreML/model.mlmodel"
RNG = np.random.default_rng(20)


def normal(*shape: int) -> Array:
    """Draw float32 numbers that float16 holds as well."""
    return RNG.standard_normal(shape).astype(np.float16).astype(np.float32)


def program(build: Build, *shapes: tuple[int, ...], dtype: Any = None, target: Any = None) -> Any:
    """Build a MIL program of inputs ``x0``, ``x1``… and outputs ``y0``, ``y1`` and so on."""
    target = target or ct.target.iOS16
    inputs = {f"x{i}": mb.placeholder(shape, dtype or types.fp32, True) for i, shape in enumerate(shapes)}
    result = Program()
    with Function(inputs, opset_version=target) as function:
        made = build(*function.inputs.values())
        made = made if isinstance(made, list | tuple) else [made]
        function.set_outputs([mb.identity(x=var, name=f"y{i}") for i, var in enumerate(made)])
        result.add_function("main", function)
    return result


def package(path: Path, made: Any, **options: Any) -> Path:
    """Save a MIL program or a traced network as ``path``, without graph passes where it is a program."""
    if isinstance(made, Program):
        options["pass_pipeline"] = ct.PassPipeline.EMPTY
    options.setdefault("minimum_deployment_target", ct.target.iOS16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options.setdefault("compute_precision", ct.precision.FLOAT32)
        model = ct.convert(made, convert_to="mlprogram", skip_model_load=True, **options)
        model.user_defined_metadata["spec"] = spec().model_dump_json()
        model.save(str(path))
    return path


MATRIX = normal(5, 4)


def edit(path: Path, change: Callable[[Any], None]) -> None:
    """Change a saved package's ``Model`` message in place."""
    model = ct.proto.Model_pb2.Model()
    model.ParseFromString((path / MODEL).read_bytes())
    change(model)
    (path / MODEL).write_bytes(model.SerializeToString())


def operations(model: Any) -> Any:
    """Return the operations of ``main``."""
    main = model.mlProgram.functions["main"]
    return main.block_specializations[main.opset].operations

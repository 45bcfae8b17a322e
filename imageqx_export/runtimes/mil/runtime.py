"""Core ML on any machine: evaluate a saved ``.mlpackage`` (ML Program) with torch.

coremltools reads the package back into MIL; every operation of ``main`` is then computed by the kernel that
:data:`imageqx_export.runtimes.mil.ops.OPS` has for it. The rounding model: each operation computes in float32
(it accumulates in float32) on operands that are already rounded, and rounds its result once, to the nearest
float16, where the program says float16. A phone's Neural Engine or GPU may fuse operations, which rounds less
often, or accumulate in float16, which rounds more often: this is neither of them bit for bit. What lies between
``dequantize`` and ``quantize`` is computed on the integers, see :mod:`imageqx_export.runtimes.mil.integers`.

Source: the MIL operation specification, https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export.artifact import ModelSpec, Outputs, Pixels
from imageqx_export.errors import ArtifactError, UnavailableError, UnsupportedOpError
from imageqx_export.runtimes.base import (
    declare_output,
    explain_failed_load,
    explain_failed_run,
    read_input,
    read_spec,
)
from imageqx_export.runtimes.mil.node import CHOICES
from imageqx_export.runtimes.mil.plan import Array, Plan, refuse_functions, refuse_unknown
from imageqx_export.support.libraries import name_extra

_NOISE = {
    "coremltools": ("Failed to load _ML", "Torch version ", "scikit-learn version "),
    "torch.utils._pytree": ("<enum 'KernelPreference'> is an Enum subclass",),
}
"""What importing coremltools logs everywhere but on Apple's own machines, by logger."""


class MilRuntime:
    """An evaluator of an ``.mlpackage`` that takes photos and gives float tensors.

    Args:
        plan: The compiled program.
        description: The ``ModelDescription`` of the Core ML specification: one input, tensor outputs.
        spec: The ModelSpec in its metadata; it says what the input takes.
    """

    def __init__(self, plan: Plan, description: Any, spec: ModelSpec) -> None:
        image = description.input[0]
        self._plan, self.spec = plan, spec
        self._feed = read_input(spec, Path(plan.where))
        kind, size = image.type.imageType, spec.preprocessing
        sides = (size.height, size.width) if self._feed.form.kind.is_float else (kind.height, kind.width)
        self._size = (*sides, 3)
        self._name, self._flip = image.name, kind.colorSpace == kind.BGR
        self.signature = tuple(
            declare_output(Path(plan.where), value.name, tuple(value.type.multiArrayType.shape), "float32")
            for value in description.output
        )

    def run(self, pixels: Pixels) -> Outputs:
        """Evaluate every photo, as many at a time as the program takes.

        Args:
            pixels: RGB, uint8 [N,H,W,3], H and W as in the artifact's description.

        Returns:
            float32 [N,…] per output, in the description's order.

        Raises:
            ArtifactError: ``pixels`` has another shape or dtype, or the program cannot be computed.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != self._size:
            raise ArtifactError(
                "these pixels do not fit the artifact",
                where=self._plan.where,
                expected=f"uint8 [N,{','.join(map(str, self._size))}]",
                got=f"{pixels.dtype} {list(pixels.shape)}",
            )
        if not len(pixels):
            return {output.name: np.empty((0, *output.shape[1:]), np.float32) for output in self.signature}
        with explain_failed_run(Path(self._plan.where)):
            found = self._feed.run(pixels, self._infer)
            return {output.name: found[output.name].astype(np.float32) for output in self.signature}

    def _infer(self, batch: Array) -> dict[str, Array]:
        if self._feed.form.kind.is_float:
            return self._plan({self._name: batch})
        planes = batch[..., ::-1] if self._flip else batch  # an image's, which Core ML hands to the program as planes
        return self._plan({self._name: planes.transpose(0, 3, 1, 2)})


def load(path: Path) -> MilRuntime:
    """Read an artifact and prepare everything that does not depend on the photo.

    Args:
        path: A ``.mlpackage`` folder with one input: an image, RGB or BGR, or what its ModelSpec says.

    Raises:
        ArtifactError: It is missing, broken, without ModelSpec, or not an ML Program that takes one photo.
        UnsupportedOpError: It has operations or parameters that the evaluator does not know.
        UnavailableError: coremltools is not installed.
    """
    program, spec = _read(path)
    with explain_failed_load("the package cannot be evaluated", path):
        about = read_spec(dict(spec.description.metadata.userDefined), path)
        _refuse_features(spec.description, about, path)
        return MilRuntime(Plan(program, str(path)), spec.description, about)


def evaluate(program: Path | Any, inputs: dict[str, Array]) -> dict[str, Array]:
    """Evaluate a program once, on tensors.

    Args:
        program: A ``.mlpackage`` folder, or a MIL ``Program`` in memory.
        inputs: One array per input of ``main``, in its shape; floats are rounded as the program says.

    Returns:
        One array per output, in the program's order: float32 for float16 and float32, int32, or bool.

    Raises:
        ArtifactError: As :func:`load`, or the inputs do not fit.
    """
    if isinstance(program, Path):
        return Plan(_read(program)[0], str(program))(inputs)
    return Plan(program, "MIL program in memory")(inputs)


def _read(path: Path) -> tuple[Any, Any]:
    """Return a package's MIL program and its ``Model`` specification; refuse what cannot be evaluated."""
    if not (path / "Manifest.json").is_file():
        got = "a folder without Manifest.json" if path.is_dir() else "a file" if path.exists() else "nothing"
        raise ArtifactError("not a Core ML package", where=path, expected="a .mlpackage folder", got=got)
    with _silence_imports():
        try:
            from coremltools.converters.mil.frontend.milproto.load import load as load_program
            from coremltools.models import MLModel
        except ImportError as error:
            raise UnavailableError(
                "coremltools is not installed", got=str(error), remedy=name_extra("coreml")
            ) from error
    # coremltools has no errors of its own for a broken file: the native reader, protobuf and the MIL builder
    # raise whatever they meet, so every exception means the same thing here.
    with explain_failed_load("coremltools cannot read this package", path):
        model = MLModel(str(path), skip_model_load=True)
        spec = model.get_spec()
        if (kind := spec.WhichOneof("Type")) != "mlProgram":
            raise ArtifactError("not an ML Program", where=path, expected="mlProgram", got=kind)
        _refuse(spec.mlProgram, str(path))
        return load_program(spec, spec.specificationVersion, model.weights_dir or ""), spec


def _refuse_features(description: Any, about: ModelSpec, path: Path) -> None:
    inputs = list(description.input)
    kinds = [value.type.WhichOneof("Type") for value in inputs]
    is_float = read_input(about, path).form.kind.is_float
    wanted = "multiArrayType" if is_float else "imageType"
    if kinds != [wanted]:
        got = ", ".join(f"{value.name} ({kind})" for value, kind in zip(inputs, kinds, strict=True))
        expected = f"one {'array' if is_float else 'image'} input"
        raise ArtifactError("not a model of one photo", where=path, expected=expected, got=got)
    image = inputs[0].type.imageType
    if not is_float and image.colorSpace not in (image.RGB, image.BGR):
        raise ArtifactError(
            "the input's colours are not a photo's",
            where=f"{path}: {inputs[0].name}",
            expected="RGB or BGR",
            got=image.ColorSpace.Name(image.colorSpace),
        )
    for value in description.output:
        if value.type.WhichOneof("Type") != "multiArrayType":
            raise ArtifactError(
                "an output is not a tensor",
                where=f"{path}: {value.name}",
                expected="multiArrayType",
                got=value.type.WhichOneof("Type"),
            )


def _refuse(program: Any, where: str) -> None:
    """Refuse by name what the evaluator does not know, before coremltools refuses it without one.

    Args:
        program: The ``Program`` message of the Core ML specification.
        where: The file.
    """
    refuse_functions(program.functions, where)
    main = program.functions["main"]
    blocks = [main.block_specializations[main.opset]] if main.opset in main.block_specializations else []
    ops = [op for block in blocks for op in block.operations]
    refuse_unknown(((op.type, _read_name(op)) for op in ops), where)
    words = {op.outputs[0].name: _read_word(op.attributes["val"]) for op in ops if op.type == "const"}
    for op in ops:
        for param, argument in op.inputs.items():
            known = CHOICES.get((op.type, param))
            for binding in argument.arguments if known else ():
                word = words.get(binding.name, "") if binding.name else _read_word(binding.value)
                if known and word not in known:
                    raise UnsupportedOpError(
                        f"the evaluator does not know this {param} of operation '{op.type}'",
                        where=f"{where}: {_read_name(op)}",
                        expected=", ".join(known),
                        got=f"{param} = '{word}'",
                    )


def _read_name(op: Any) -> str:
    # Reading an absent key of a protobuf map would add it.
    if "name" in op.attributes:
        return _read_word(op.attributes["name"])
    return str(op.outputs[0].name) if op.outputs else "?"


def _read_word(value: Any) -> str:
    words = value.immediateValue.tensor.strings.values
    return str(words[0]) if words else ""


@contextmanager
def _silence_imports() -> Iterator[None]:
    """Drop the messages of :data:`_NOISE` and of Python's compiler while coremltools is imported."""

    def is_wanted(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(_NOISE[record.name])

    loggers = [logging.getLogger(name) for name in _NOISE]
    for logger in loggers:
        logger.addFilter(is_wanted)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "invalid escape sequence")
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_wanted)

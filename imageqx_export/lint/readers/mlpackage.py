"""Read Core ML packages: the ML Program's operations and their types; weights are not opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imageqx_export.errors import ArtifactError
from imageqx_export.lint.model import Graph, Operator, Value
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.core_ml import read_core_ml
from imageqx_export.support.untrusted import name_error


def read(path: Path) -> Graph:
    """Return the main function.

    Raises:
        ArtifactError: It is not a package with an ML Program.
        UnavailableError: coremltools is not installed.
    """
    spec = read_core_ml(path)
    with translate_errors(lambda error: ArtifactError("a damaged ML Program", where=path, got=name_error(error))):
        return _make_graph(spec, path)


def _make_graph(spec: Any, path: Path) -> Graph:
    functions = dict(spec.mlProgram.functions)
    if not functions:
        raise ArtifactError("no ML Program in the package", where=path, expected="a model for iOS 15 or later")
    function = functions.get("main", next(iter(functions.values())))
    (block, *_) = function.block_specializations.values()
    known: dict[str, Value] = {row.name: _read_value(row, spec) for row in function.inputs}
    operators = []
    for operation in block.operations:
        constant = operation.type == "const" or operation.type.startswith("constexpr_")
        outputs = tuple(_read_value(row, spec, constant=constant) for row in operation.outputs)
        known |= {row.name: row for row in outputs}
        names = [
            b.name for row in operation.inputs.values() for b in row.arguments if b.WhichOneof("binding") == "name"
        ]
        if not constant:
            operators.append(Operator(operation.type, tuple(known.get(n, Value(n)) for n in names), outputs))
    inputs = tuple(known[row.name] for row in function.inputs)
    return Graph("mlpackage", tuple(operators), inputs, tuple(known.get(n, Value(n)) for n in block.outputs))


def _read_value(row: Any, spec: Any, *, constant: bool = False) -> Value:
    kind = row.type.tensorType
    shape = tuple(
        int(size.constant.size) if size.WhichOneof("dimension") == "constant" else None for size in kind.dimensions
    )
    # MIL.proto's DataType, by its own names.
    name = type(kind).DESCRIPTOR.fields_by_name["dataType"].enum_type.values_by_number[kind.dataType].name
    return Value(row.name, name.lower(), shape, constant=constant)

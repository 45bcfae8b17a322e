"""Stand in for ``coremltools.libcoremlpython``, the part of coremltools that only macOS has.

It is put beside coremltools' own files (``fakes_ios.shadow_coremltools``), so that all the rest of coremltools runs as
it does on a Mac. "Compiling" writes what ``fake_xcode.Phone`` reads: the inputs, and each operation's kind and outputs.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any


def _read(path: Path) -> Any:
    from coremltools.proto import Model_pb2

    return Model_pb2.Model.FromString(path.read_bytes())


def _operations(model: Any) -> Any:
    function = model.mlProgram.functions["main"]
    return function.block_specializations[function.opset].operations


class _MLModelProxy:
    @staticmethod
    def compileModel(path: str) -> str:  # noqa: N802, Apple's name
        source = Path(path) / "Data" / "com.apple.CoreML" / "model.mlmodel"
        model = _read(source)
        folder = Path(tempfile.mkdtemp()) / "model.mlmodelc"
        folder.mkdir()
        shutil.copyfile(source, folder / "model.mlmodel")
        inputs = {
            value.name: {
                "kind": value.type.WhichOneof("Type"),
                "shape": list(value.type.multiArrayType.shape),
            }
            for value in model.description.input
        }
        operations = [{"kind": op.type, "outputs": [out.name for out in op.outputs]} for op in _operations(model)]
        (folder / "description.json").write_text(json.dumps({"inputs": inputs, "operations": operations}))
        return str(folder)

    @staticmethod
    def get_model_structure(path: str) -> Any:
        from coremltools.models import compute_plan as kinds

        value = kinds.MLModelStructureProgramValueType()
        operations = [
            kinds.MLModelStructureProgramOperation(
                inputs={},
                operator_name=op.type,
                outputs=[kinds.MLModelStructureProgramNamedValueType(out.name, value) for out in op.outputs],
                blocks=[],
                __proxy__=None,
            )
            for op in _operations(_read(Path(path) / "model.mlmodel"))
        ]
        block = kinds.MLModelStructureProgramBlock(inputs=[], operations=operations, output_names=[])
        function = kinds.MLModelStructureProgramFunction(inputs=[], block=block)
        program = kinds.MLModelStructureProgram(functions={"main": function})
        return kinds.MLModelStructure(neuralnetwork=None, program=program, pipeline=None)


class _MLModelAssetProxy: ...


class _MLComputePlanProxy: ...


class _MLCPUComputeDeviceProxy: ...


class _MLGPUComputeDeviceProxy: ...


class _MLNeuralEngineComputeDeviceProxy: ...

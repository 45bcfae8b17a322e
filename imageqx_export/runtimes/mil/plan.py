"""A Core ML program as a flat list of torch calls, prepared once and run per photo.

The rounding model is that of :mod:`imageqx_export.runtimes.mil.runtime`: compute in float32, round each result once
where the program says float16. Such values are kept as float32 tensors that hold float16 numbers, because a
CPU's float16 kernels are slow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from imageqx_export.errors import ArtifactError, UnsupportedOpError
from imageqx_export.support.untrusted import describe

if TYPE_CHECKING:
    from torch import Tensor

    from imageqx_export.runtimes.mil.node import Kernel

Array = np.ndarray[Any, Any]

NATIVE = "run it with the native Core ML runtime on a Mac"


def refuse_functions(names: Iterable[str], where: str) -> None:
    """Raise ArtifactError unless ``main`` is a program's only function."""
    if sorted(names) != ["main"]:
        raise ArtifactError(
            "the evaluator takes programs of one function",
            where=where,
            expected="main",
            got=", ".join(sorted(names)) or "no function",
            remedy=NATIVE,
        )


def refuse_unknown(ops: Iterable[tuple[str, str]], where: str) -> None:
    """Raise UnsupportedOpError that lists every operation without an entry in the table.

    Args:
        ops: Kind and name of each operation of a program.
        where: The file.
    """
    from imageqx_export.runtimes.mil.ops import OPS

    unknown: dict[str, list[str]] = {}
    for kind, name in ops:
        if kind not in OPS and kind != "const":
            unknown.setdefault(kind, []).append(name)
    if unknown:
        raise UnsupportedOpError(
            "the program has operations that the evaluator does not know",
            where=where,
            got="; ".join(f"{kind} ({', '.join(names)})" for kind, names in sorted(unknown.items())),
            remedy=f"{NATIVE}, or add them to imageqx_export/runtimes/mil/ops.py",
        )


class _Slot(NamedTuple):
    """The place of a value during a run, and what it must be: ``dtype`` is MIL's name of it."""

    place: int
    dtype: str
    shape: tuple[int, ...]


class _Step(NamedTuple):
    """One operation: slots in, slots out, and the slots that nobody reads after it."""

    label: str
    kernel: Kernel
    exact: bool
    operands: tuple[int, ...]
    results: tuple[_Slot, ...]
    dead: tuple[int, ...] = ()


class Plan:
    """A program's ``main``, compiled to a flat list of steps over numbered slots.

    Args:
        program: A MIL ``Program``.
        where: What to call it in messages.

    Raises:
        ArtifactError: Its functions are not ``main`` alone, or a shape is not fixed.
        UnsupportedOpError: It has operations or parameters that the evaluator does not know.
    """

    def __init__(self, program: Any, where: str) -> None:
        refuse_functions(program.functions, where)
        main = program.functions["main"]
        self.where = where
        self._slots: dict[int, _Slot] = {}
        self._values: list[Tensor | None] = []
        ops = [op for op in main.operations if op.op_type != "const"]
        refuse_unknown(((op.op_type, op.name) for op in ops), where)
        self.inputs = {name: self._make_slot(var) for name, var in main.inputs.items()}
        steps = [self._step(op) for op in ops]
        self.outputs = {var.name: self._make_slot(var) for var in main.outputs}
        self._constants = list(self._values)
        # What depends on no input is computed once, here.
        live = [step for step in steps if not self._fold(step)]
        self._steps = _find_last_uses(live, self._constants, {slot.place for slot in self.outputs.values()})

    def __call__(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Evaluate: see :func:`evaluate`."""
        import torch

        if inputs.keys() != self.inputs.keys():
            raise ArtifactError(
                "these are not the program's inputs",
                where=self.where,
                expected=", ".join(self.inputs),
                got=", ".join(inputs),
            )
        with torch.inference_mode():
            values = list(self._constants)
            for name, slot in self.inputs.items():
                if inputs[name].shape != slot.shape:
                    raise ArtifactError(
                        "an input has the wrong shape",
                        where=f"{self.where}: {name}",
                        expected=str(list(slot.shape)),
                        got=str(list(inputs[name].shape)),
                    )
                values[slot.place] = _to_tensor(inputs[name], slot.dtype)
            for step in self._steps:
                self._do(step, values)
                for index in step.dead:
                    values[index] = None
        return {name: _to_array(values[slot.place]) for name, slot in self.outputs.items()}

    def _make_slot(self, var: Any) -> _Slot:
        from imageqx_export.runtimes.mil.node import dtype_of

        if id(var) not in self._slots:
            if not all(isinstance(size, int | np.integer) for size in var.shape):
                raise ArtifactError(
                    "the evaluator takes fixed shapes only",
                    where=f"{self.where}: {var.name}",
                    got=str(var.shape),
                    remedy=NATIVE,
                )
            dtype, constant = dtype_of(var), var.op is not None and var.op.op_type == "const"
            self._slots[id(var)] = _Slot(len(self._values), dtype, tuple(map(int, var.shape)))
            self._values.append(_to_tensor(np.asarray(var.val), dtype) if constant else None)
        return self._slots[id(var)]

    def _step(self, op: Any) -> _Step:
        from imageqx_export.runtimes.mil.integers import fuse
        from imageqx_export.runtimes.mil.node import EXACT, Node
        from imageqx_export.runtimes.mil.ops import OPS

        node = Node(op, self.where)
        kernel = OPS[op.op_type](node)
        node.finish()
        taken = node.operands
        if op.op_type == "quantize" and (integers := fuse(op, self.where)) is not None:
            kernel, taken = integers
        operands = tuple(self._make_slot(var).place for var in taken)
        results = tuple(self._make_slot(var) for var in op.outputs)
        return _Step(f"{op.op_type} ({op.name})", kernel, op.op_type in EXACT, operands, results)

    def _fold(self, step: _Step) -> bool:
        if any(self._constants[index] is None for index in step.operands):
            return False
        self._do(step, self._constants)
        return True

    def _do(self, step: _Step, values: list[Tensor | None]) -> None:
        try:
            result = step.kernel(*(values[index] for index in step.operands))
        except Exception as error:  # whatever torch raises at values that do not fit
            raise ArtifactError(
                "an operation cannot be computed",
                where=f"{self.where}: {step.label}",
                got=describe(error),
                remedy="imageqx export",
            ) from error
        results = result if isinstance(result, tuple) else (result,)
        for tensor, slot in zip(results, step.results, strict=True):
            if tensor.shape != slot.shape or tensor.dtype != _choose_storage(slot.dtype):
                raise ArtifactError(
                    "an operation gave something else than the program declares",
                    where=f"{self.where}: {step.label}",
                    expected=f"{slot.dtype} {list(slot.shape)}",
                    got=f"{tensor.dtype} {list(tensor.shape)}",
                )
            rounds = slot.dtype == "fp16" and not step.exact
            values[slot.place] = tensor.half().float() if rounds else tensor


def _find_last_uses(steps: list[_Step], constants: list[Tensor | None], kept: set[int]) -> list[_Step]:
    """Return the steps that an output needs, each with the slots that nobody reads after it."""
    seen = kept | {index for index, value in enumerate(constants) if value is not None}
    done: list[_Step] = []
    for step in reversed(steps):
        if not seen & {slot.place for slot in step.results}:
            continue
        dead = {*step.operands, *(slot.place for slot in step.results)} - seen
        seen |= dead
        done.append(step._replace(dead=tuple(dead)))
    return done[::-1]


def _choose_storage(dtype: str) -> Any:
    import torch

    named = {"bool": torch.bool, "fp16": torch.float32, "fp32": torch.float32, "int8": torch.int8, "uint8": torch.uint8}
    return named.get(dtype, torch.int32)


def _to_tensor(array: Array, dtype: str) -> Tensor:
    import torch

    # A copy, because torch takes no negative strides and no memory that it may not write.
    tensor = torch.from_numpy(array.copy()).to(_choose_storage(dtype))
    return tensor.half().float() if dtype == "fp16" else tensor


def _to_array(tensor: Tensor | None) -> Array:
    assert tensor is not None
    return tensor.numpy().copy()

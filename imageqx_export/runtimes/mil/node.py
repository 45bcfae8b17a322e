"""One operation of a Core ML program, as the evaluator's builders see it.

A builder takes a :class:`Node`, reads the operation's constant parameters once, and returns a kernel: a
function of the operands' tensors. What it does not know it refuses by name, and so does :meth:`Node.finish`
with every parameter that was left unread: nothing is ignored in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from imageqx_export.errors import UnsupportedOpError

if TYPE_CHECKING:
    from torch import Tensor

Kernel = Callable[..., "Tensor | tuple[Tensor, ...]"]
Builder = Callable[["Node"], Kernel]

_PADDINGS = ("valid", "custom", "same", "same_lower")
CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("avg_pool", "pad_type"): _PADDINGS,
    ("cast", "dtype"): ("bool", "fp16", "fp32", "int32"),
    ("conv", "pad_type"): _PADDINGS,
    ("gelu", "mode"): ("EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"),
    ("max_pool", "pad_type"): _PADDINGS,
    ("pad", "mode"): ("constant", "reflect", "replicate"),
    ("quantize", "output_dtype"): ("int8", "uint8"),
}
"""The values that are implemented, per operation and parameter that is a word."""

EXACT = frozenset(
    (
        "abs",
        "concat",
        "expand_dims",
        "identity",
        "max_pool",
        "maximum",
        "minimum",
        "reduce_max",
        "reduce_min",
        "relu",
        "relu6",
        "reshape",
        "slice_by_index",
        "split",
        "squeeze",
        "transpose",
    )
)
"""Operations that select or move values: float16 in is float16 out, without rounding."""

_ON_INTEGERS = EXACT - {"max_pool", "relu", "relu6"} | {"add", "cast", "mul", "reduce_sum", "sub"}
"""Operations whose meaning is plain for integers and booleans as well; the others are refused on them."""

_ON_BYTES = frozenset(("dequantize", "expand_dims", "quantize", "reshape", "squeeze", "transpose"))
"""Operations on int8 and uint8: those that make them, those that read them, and those that only move them."""


class Node:
    """One MIL operation as a builder sees it, which keeps count of what was read.

    Args:
        op: A ``coremltools`` MIL operation.
        where: The file, for messages.
    """

    def __init__(self, op: Any, where: str) -> None:
        self.kind: str = op.op_type
        self.operands: list[Any] = []
        self._name, self._where = op.name, where
        self._inputs = {name: var for name, var in op.inputs.items() if var is not None}
        self._unread = set(self._inputs)
        self._outputs = op.outputs

    def take(self, *params: str) -> None:
        """Make the values of ``params`` the kernel's next arguments; an absent one is skipped."""
        for param in params:
            var = self._inputs.get(param, ())
            self._unread.discard(param)
            self.operands.extend(var if isinstance(var, list | tuple) else (var,))

    def has(self, param: str) -> bool:
        """Say whether the operation has the parameter, or a default for it."""
        return param in self._inputs

    def array(self, param: str) -> np.ndarray[Any, Any]:
        """Return a constant parameter as it is stored.

        Raises:
            UnsupportedOpError: It is absent, or known only when the program runs.
        """
        self._unread.discard(param)
        value = getattr(self._inputs.get(param), "val", None)
        if value is None:
            self.refuse(param, "nothing" if param not in self._inputs else "a value computed at run time")
        return np.asarray(value)

    def value(self, param: str) -> Any:
        """Return a constant parameter as a Python number, word or list."""
        return self.array(param).tolist()

    def word(self, param: str) -> str:
        """Return a constant parameter that is one of :data:`CHOICES`."""
        word = str(self.value(param))
        if word not in CHOICES[self.kind, param]:
            self.refuse(param, repr(word))
        return word

    def refuse(self, param: str, got: str) -> NoReturn:
        """Raise UnsupportedOpError for a parameter's value."""
        raise UnsupportedOpError(
            f"the evaluator does not know this {param} of operation '{self.kind}'",
            where=f"{self._where}: {self._name}",
            expected=", ".join(CHOICES.get((self.kind, param), ())) or None,
            got=f"{param} = {got}",
        )

    def finish(self) -> None:
        """Refuse integer operands where their meaning is not plain, and parameters that nobody read."""
        kinds = {dtype_of(var) for var in (*self.operands, *self._outputs)}
        known = {"fp16", "fp32"} | ({"int32", "bool"} if self.kind in _ON_INTEGERS else set())
        known |= {"int8", "uint8"} if self.kind in _ON_BYTES else set()
        if not kinds <= known:
            self.refuse("type", ", ".join(sorted(kinds)))
        for param in sorted(self._unread):
            self.refuse(param, "a parameter that this operation should not have")


def dtype_of(var: Any) -> str:
    """Return the name of a MIL value's element type, such as ``"fp16"`` or ``"int32"``."""
    from coremltools.converters.mil.mil import types

    return str(types.builtin_to_string(var.dtype))

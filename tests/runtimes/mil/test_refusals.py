"""Check that the Core ML evaluator refuses, by name, what it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageqx_export.errors import UnsupportedOpError
from imageqx_export.runtimes.mil import runtime as mil
from tests.runtimes.mil.programs import MATRIX, WEIGHTS, Build, edit, mb, normal, operations, package, program


def test_unknown_operations_are_named_all_at_once(tmp_path: Path) -> None:
    """Before anything is computed or a weight is read."""
    made = program(
        lambda x: [mb.erf(x=x, name="bump"), *mb.topk(x=mb.erf(x=x), k=2), mb.relu(x=x), mb.linear(x=x, weight=MATRIX)],
        (3, 4),
    )
    with pytest.raises(UnsupportedOpError, match=r"erf \(bump, \w+\); topk \(\w+\)"):
        mil.evaluate(made, {})
    saved = package(tmp_path / "a.mlpackage", made)

    def rename(model: Any) -> None:
        next(op for op in operations(model) if op.type == "relu").type = "flux_capacitor"

    edit(saved, rename)
    (saved / WEIGHTS).unlink()
    with pytest.raises(UnsupportedOpError) as caught:
        mil.evaluate(saved, {})
    words = ("erf (bump", "topk", "flux_capacitor", str(saved), "mil/ops.py")
    assert all(word in str(caught.value) for word in words)


def test_unknown_word_is_refused(tmp_path: Path) -> None:
    """A pad_type that MIL does not have."""
    w = normal(1, 1, 3, 3)
    made = program(lambda x: mb.conv(x=x, weight=w, pad_type="same", name="first"), (1, 1, 5, 5))
    saved = package(tmp_path / "a.mlpackage", made)

    def change(model: Any) -> None:
        for op in operations(model):
            words = op.attributes["val"].immediateValue.tensor.strings.values if op.type == "const" else []
            if list(words) == ["same"]:
                words[0] = "circular"

    edit(saved, change)
    with pytest.raises(UnsupportedOpError, match="pad_type of operation 'conv'") as caught:
        mil.evaluate(saved, {})
    assert "first" in str(caught.value) and "circular" in str(caught.value)


REFUSED: dict[str, tuple[Build, tuple[int, ...]]] = {
    "pad of": (lambda x: mb.conv(x=x, weight=normal(1, 1, 3, 3), pad_type="valid", pad=[1, 1, 1, 1]), (1, 1, 5, 5)),
    "ceil_mode of": (
        lambda x: mb.max_pool(x=x, kernel_sizes=[2, 2], pad_type="same_lower", ceil_mode=True),
        (1, 1, 5, 5),
    ),
    "type of operation 'real_div'": (lambda x: mb.real_div(x=mb.cast(x=x, dtype="int32"), y=np.int32(2)), (3,)),
    "begin of": (
        lambda x: mb.slice_by_index(x=x, begin=mb.cast(x=x, dtype="int32"), end=[3], squeeze_mask=[True]),
        (1,),
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_parameters_are_never_ignored(message: str) -> None:
    """Known operations with a value that has no meaning here."""
    build, shape = REFUSED[message]
    with pytest.raises(UnsupportedOpError, match=message):
        mil.evaluate(program(build, shape), {})


def test_a_parameter_that_nobody_reads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one that a later opset adds."""
    from imageqx_export.runtimes.mil import ops

    monkeypatch.setitem(ops.OPS, "leaky_relu", ops.OPS["relu"])
    with pytest.raises(UnsupportedOpError, match="alpha of operation 'leaky_relu'"):
        mil.evaluate(program(lambda x: mb.leaky_relu(x=x, alpha=0.5), (3,)), {})

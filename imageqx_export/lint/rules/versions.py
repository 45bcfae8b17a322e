"""Versions higher than needed, which old runtimes refuse; and libraries that new phones refuse."""

from __future__ import annotations

from collections.abc import Iterator

from imageqx_export.lint.model import Graph, Rule

# ONNX's table of versions: the first opset of each version of the file format.
FIRST_OPSET = {3: 1, 4: 9, 5: 10, 6: 11, 7: 12, 8: 15, 9: 20, 10: 21, 11: 23, 12: 24, 13: 25}
PAGE = 16384


def find_high_ir(graph: Graph) -> Iterator[str]:
    """Yield the version of the file format, where the opset needs a lower one."""
    if graph.ir is not None and graph.opset is not None:
        needed = max((ir for ir, opset in FIRST_OPSET.items() if opset <= graph.opset), default=3)
        if graph.ir > needed:
            yield f"IR {graph.ir}, where opset {graph.opset} needs {needed}"


def find_high_opset(graph: Graph) -> Iterator[str]:
    """Yield the opset, where every operator is in a lower one as it is."""
    if graph.opset is not None and graph.operators:
        needed = max(operator.version for operator in graph.operators)
        if 0 < needed < graph.opset:
            yield f"opset {graph.opset}, where the operators are in {needed}"


def find_small_pages(graph: Graph) -> Iterator[str]:
    """Yield libraries whose segments are not aligned to 16 kB."""
    for name, alignment in graph.alignments.items():
        if alignment < PAGE:
            yield f"{name} ({alignment} bytes)"


RULES = (
    Rule(
        "ir-too-high",
        "warning",
        ("onnx",),
        reason="a runtime refuses an IR that it does not know, whatever is in the file: ONNX Runtime before 1.18 IR 10",
        source="ONNX Runtime 1.15 to 1.17, tried",
        mend="model.ir_version = the one that the opset needs",
        find=find_high_ir,
    ),
    Rule(
        "opset-higher-than-needed",
        "note",
        ("onnx",),
        reason="older runtimes would take the lower one, and compute the same",
        source="ONNX's operator schemas",
        mend="export with the lower opset, where the exporter can",
        find=find_high_opset,
    ),
    Rule(
        "16-kb-pages",
        "error",
        ("library",),
        reason="Android phones with pages of 16 kB do not load it, and Google Play wants apps for Android 15 to run "
        "there",
        source="Android's guide, Support 16 KB page sizes",
        mend="link with -Wl,-z,max-page-size=16384, or take a newer release of the runtime",
        find=find_small_pages,
    ),
)

"""Walk the backbone's blocks: where quantization finds what it changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from imageqx_export.networks.imageqx.graph import PhoneGraph


class Block(NamedTuple):
    """Hold one inverted residual block: its path, and its parts.

    Args:
        path: Of the sequence of parts.
        parts: An expansion (but in the first block), a depthwise convolution, squeeze-and-excitation, a projection;
            of all but the third the first module is the convolution.
    """

    path: str
    parts: tuple[Any, ...]


def blocks(graph: PhoneGraph) -> Iterator[Block]:
    """Yield EfficientNet's sixteen blocks, in order: all between the stem and the last convolution."""
    stages = [(f"early.stages.{i}", stage) for i, stage in enumerate(graph.early.stages)][1:]
    stages += [(f"late.{i}", stage) for i, stage in enumerate(graph.late)][:-1]
    for path, stage in stages:
        for index, block in enumerate(stage.children()):
            yield Block(f"{path}.{index}.block", tuple(block.block))  # type: ignore[arg-type]

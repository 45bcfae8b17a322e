"""Let a graph that takes an image's planes take an array of floats, before coremltools converts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from imageqx_export.artifact import ModelSpec
from imageqx_export.export.form import make_example
from imageqx_export.input_form import read_form

if TYPE_CHECKING:
    from torch.fx import GraphModule

_METADATA = "_COREML_/metadata_version"


class _Levels(nn.Module):
    """Floats in [0, 1] as the planes of an image, in 0…255."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, numbers: Tensor) -> Tensor:
        planes = numbers if self.layout == "NCHW" else numbers.permute(0, 3, 1, 2)
        return planes * 255


class _Entered(nn.Module):
    """A graph behind :class:`_Levels`, which is called as what stays float32 is."""

    def __init__(self, graph: nn.Module, layout: str) -> None:
        super().__init__()
        self.early, self.inner = _Levels(layout), graph
        self.training = False  # eval() would ask a captured graph, which has no modes

    def forward(self, numbers: Tensor) -> Any:
        return self.inner(self.early(numbers))


def wrap_graph(graph: nn.Module | GraphModule, spec: ModelSpec) -> nn.Module:
    """Return a graph around another, which takes what a ModelSpec says; of an image, the other itself.

    Args:
        graph: Takes float32 [N,3,H,W] in 0…255, as Core ML hands an image over.
        spec: The package's.
    """
    kind = read_form(spec).kind
    if not kind.is_float:
        return graph
    entered = _Entered(graph, kind.layout)
    if _METADATA in graph._buffers:  # where coremltools looks for it
        entered.register_buffer(_METADATA, graph._buffers[_METADATA])
    return entered


def make_inputs(spec: ModelSpec) -> Tensor:
    """Return black photos as the graph of :func:`wrap_graph` takes them."""
    planes = make_example(spec, "NCHW")
    return planes.reshape(spec.inputs[0].shape) if read_form(spec).kind.is_float else planes

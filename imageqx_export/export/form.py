"""What an export makes for a form of input: the checkpoint as its files shall say it, and an example."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageqx_export.artifact import Checkpoint, ModelSpec
from imageqx_export.input_form import InputForm, read_form

if TYPE_CHECKING:
    from torch import Tensor

    from imageqx_export.networks.base import Layout, PhoneGraph


def take_form(checkpoint: Checkpoint, form: InputForm) -> Checkpoint:
    """Return a checkpoint whose ModelSpec is that of its files that take photos so."""
    return checkpoint.model_copy(update={"spec": form.describe(checkpoint.spec)})


def count_photos(spec: ModelSpec) -> int:
    """Return for how many photos a graph is captured: a file's fixed batch, or one."""
    return read_form(spec).batch or 1


def make_example(spec: ModelSpec, layout: Layout = "NHWC") -> Tensor:
    """Return black photos as graphs take them before their form is changed.

    Args:
        spec: A file's.
        layout: ``"NHWC"`` gives uint8 [N,H,W,3], ``"NCHW"`` float32 [N,3,H,W].
    """
    import torch

    count, size = count_photos(spec), spec.preprocessing
    if layout == "NCHW":
        return torch.zeros(count, 3, size.height, size.width)
    return torch.zeros(count, size.height, size.width, 3, dtype=torch.uint8)


def explain_cut(graph: PhoneGraph) -> str | None:
    """Return why a graph's batch cannot be left open, or None: the parts of a photo are a batch already."""
    parts = graph.get_entry_shape()[0]
    return None if parts == 1 else f"the model cuts a photo in {parts} parts, which are a batch already: name a number"

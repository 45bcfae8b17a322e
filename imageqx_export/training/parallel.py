"""Which of ``torchrun``'s processes this is; give the network to all of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from imageqx_export.data.sample_plan import SamplePlan
from imageqx_export.errors import TrainingError
from imageqx_export.networks.base import Network

T = TypeVar("T")
_MEETINGS = itertools.count()  # a script may train twice: without a number it would call at the first time's addresses


@dataclass(frozen=True)
class World:
    """The processes that train together, and which of them this is.

    Args:
        rank: Number of this process, over all machines.
        size: How many processes there are.
        device: What this one computes on.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def share(self, plan: SamplePlan) -> SamplePlan:
        """Return this process's part of a batch."""
        each = len(plan) // self.size
        return plan.part(self.rank * each, (self.rank + 1) * each) if self.size > 1 else plan

    def spread(self, network: Network, *, heads: bool = False) -> nn.Module:
        """Return a module whose gradients are the mean over all processes.

        Args:
            network: What learns.
            heads: Whether it maps features to logits, rather than pixels.
        """
        module = _Heads(network) if heads else _Logits(network)
        if self.size == 1:
            return module
        return DistributedDataParallel(module, device_ids=[self.device] if self.device.type == "cuda" else None)

    def mean(self, value: float) -> float:
        """Return the mean of ``value`` over all processes."""
        if self.size == 1:
            return value
        total = torch.tensor(value, device=self.device, dtype=torch.float64)
        distributed.all_reduce(total)
        return float(total) / self.size

    def broadcast(self, value: T) -> T:
        """Return the first process's ``value`` in every process, once the first has come here.

        Args:
            value: Something that pickles; what the others pass is not looked at.
        """
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0, device=self.device if self.device.type == "cuda" else None)
        return box[0]


class _Heads(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Any:
        return self.network.logits(features)


class _Logits(_Heads):
    def forward(self, pixels: Tensor) -> Any:
        return self.network.logits(self.network.features(pixels))


@contextmanager
def join_world(batch_size: int) -> Iterator[World]:
    """Join the processes that ``torchrun`` started, or be alone; NCCL between GPUs, gloo between CPUs.

    Args:
        batch_size: Of all processes together.

    Raises:
        TrainingError: The batch cannot be shared out evenly.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if batch_size % size:
        raise TrainingError(
            "the batch cannot be shared out evenly",
            expected=f"a multiple of {size}, the number of processes",
            got=str(batch_size),
            remedy=f"--batch-size {-(-batch_size // size) * size}",
        )
    if size == 1:
        yield World(rank, size, device)
        return
    if cuda:
        torch.cuda.set_device(device)
    store, _, _ = next(rendezvous("env://"))
    store = distributed.PrefixStore(f"imageqx {next(_MEETINGS)}", store)  # type: ignore[attr-defined]
    distributed.init_process_group("nccl" if cuda else "gloo", store=store, rank=rank, world_size=size)
    try:
        yield World(rank, size, device)
    finally:
        distributed.destroy_process_group()

"""What ``torchrun`` runs twice for ``test_parallel.py``: each process writes what it saw."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from imageqx_export.data.sample_plan import plan_samples
from imageqx_export.errors import TrainingError
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.training import loop
from imageqx_export.training.losses import compute_loss
from imageqx_export.training.parallel import World, join_world
from tests.training.fakes import CONFIG, Watched, bank, data


def flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def gradient(module: nn.Module, pixels: Tensor, plan: Any) -> Tensor:
    module.zero_grad()
    truth = torch.from_numpy(plan.shares), torch.from_numpy(plan.reasons)
    compute_loss(module(pixels), *truth, torch.tensor([1.0, 2.0, 3.0, 4.0])).backward()  # type: ignore[no-untyped-call]
    return flat(parameter.grad for parameter in module.parameters() if parameter.grad is not None)


def gradients(here: World) -> dict[str, float]:
    """Compare the spread network's gradient with one process's on the whole batch; batch norm stands still."""
    torch.manual_seed(0)
    network = ImageQX().eval()
    other = World(0, 1, here.device).spread(copy.deepcopy(network))
    plan, pixels = plan_samples(bank(), (0, 1), 4), torch.randn(4, 3, 32, 32)
    whole = gradient(other, pixels, plan)
    mine = slice(2 * here.rank, 2 * here.rank + 2)
    half = gradient(other, pixels[mine], here.share(plan))
    spread = gradient(here.spread(network), pixels[mine], here.share(plan))
    return {
        "spread": float((spread - whole).norm() / whole.norm()),
        "half": float((half - whole).norm() / whole.norm()),
    }


def trained(here: World, folder: Path) -> dict[str, Any]:
    """Train, and compare the two processes' weights; then again from a state that only one of them sees."""
    watched, reports = Watched(here.rank, here.size, here.device), list[int]()
    made, own = loop.train(
        CONFIG, folder / "x.safetensors", data(), watched, report=lambda epoch, *rest: reports.append(epoch)
    )
    torch.manual_seed(CONFIG.seed)
    weights, first = flat(watched.networks[0].parameters()), flat(ImageQX().parameters())
    both = [torch.empty_like(weights), torch.empty_like(weights)]
    distributed.all_gather(both, weights)
    same, moved = torch.equal(*both), not torch.equal(weights, first)
    assert (own is not None) == here.first
    return {"same": same, "moved": moved, "sha256": made.sha256, "reports": reports, "alone": alone(here, folder)}


def alone(here: World, folder: Path) -> str:
    out = folder / ("x.safetensors" if here.first else "elsewhere.safetensors")
    try:
        loop.train(CONFIG, out, data(), here)
    except TrainingError as error:
        return str(error)
    return ""


def main() -> None:
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    with join_world(CONFIG.batch_size) as here:
        facts = {"mean": here.mean(float(here.rank)), "told": here.broadcast(f"process {here.rank}")}
        facts |= {"gradients": gradients(here), "trained": trained(here, folder)}
        (folder / f"{here.rank}.json").write_text(json.dumps(facts), encoding="utf-8")
    from imageqx_export import cli

    sys.argv = ["imageqx", *command]
    cli.main()


if __name__ == "__main__":
    main()

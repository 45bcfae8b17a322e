"""Train a network: one loop, to be read from top to bottom. What is learnt comes from ``targets/``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from imageqx_export import networks
from imageqx_export.artifact import Checkpoint, Temperatures
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.data.bank import Bank
from imageqx_export.data.degradations import Degrader
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.settings import USUAL, PhotoSettings
from imageqx_export.errors import TrainingError
from imageqx_export.networks.base import Network
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.signals import postpone_signals
from imageqx_export.training.batches import Batches, FreshBatches, KeptBatches, Maker
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.logs import Logs, NoLogs
from imageqx_export.training.looks import HeldOut, run_batches
from imageqx_export.training.parallel import World
from imageqx_export.training.state import describe_divergence, load_state, save_state, state_path
from imageqx_export.training.stopping import is_best, is_over
from imageqx_export.training.targets import choose_targets
from imageqx_export.training.targets.base import Targets

GRADIENT_CLIP = 5.0
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_MOMENTUM = 0.9  # of SGD


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and what it is looked at with.

    Args:
        bank: Pictures to make samples from.
        validation: Held-out photos; of other patients.
        facts: What the checkpoint's provenance says about the photos; JSON-able.
        settings: What the network wants photos to be like, as these are.
    """

    bank: Bank
    validation: LabelledPhotos
    facts: dict[str, Any]
    settings: PhotoSettings = USUAL

    def digest(self) -> str:
        """Return a digest of the pictures and their labels, by which a resumed run knows its data."""
        body = hashlib.sha256(self.bank.images.tobytes())
        parts = [self.bank.shares, self.bank.reasons, self.bank.origin]
        parts += [self.bank.votes] if (self.bank.votes >= 0).any() else []
        for part in parts:
            body.update(np.ascontiguousarray(part).tobytes())
        return body.hexdigest()


def train(
    config: TrainingConfig,
    out: Path,
    data: TrainingData,
    world: World,
    *,
    resume: bool = True,
    progress: Progress = silent,
    report: Callable[[int, float, dict[str, Any]], None] = lambda epoch, loss, metrics: None,
    logs: Logs | None = None,
) -> tuple[Checkpoint, Network | None]:
    """Train and write ``out``, going on from its state file if there is one of the same configuration and data.

    Long because it is the one loop, which is read from top to bottom.

    Args:
        config: How to train.
        out: The checkpoint; ``<out>.state`` beside it holds what a later run resumes from.
        data: What to learn from.
        world: Which of the processes this is; each works on its part of every batch.
        resume: Whether an existing state file is used.
        progress: Opens a bar per epoch.
        report: Called before the first epoch (as epoch 0) and after every one, with the mean loss and the metrics.
        logs: Takes scalars by step.

    Returns:
        The checkpoint, and its network, read from the file as everybody will read it; only the first process has one.

    Raises:
        TrainingError: The loss or a weight is not a number, or the state file is of another run; the last good state
            and checkpoint are kept.
        KeyboardInterrupt: Ctrl-C; likewise.
    """
    logs = logs or NoLogs()
    if config.arithmetic == "fp16" and world.device.type != "cuda":
        raise TrainingError("fp16 arithmetic needs a GPU", got=str(world.device), remedy="--arithmetic bf16, or fp32")
    checkpoint: Checkpoint | None = None
    torch.manual_seed(config.seed)
    targets = choose_targets(config.model)
    network, origin = _build_network(config)
    targets.require_outputs(network.spec)
    average = AveragedModel(
        network,
        multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    network.to(world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    average.to(world.device)
    optimizer = _make_optimizer(config, network)
    cycle = (config.restart_epochs or config.epochs) * config.steps
    schedule = CosineAnnealingWarmRestarts(optimizer, cycle, config.restart_factor, config.learning_rate / 100)
    scaler = torch.amp.GradScaler(world.device.type, enabled=config.arithmetic == "fp16")
    state, digest = state_path(out), data.digest()
    parts = [network, average, optimizer, schedule, scaler]
    first, history = load_state(state, config, digest, parts) if resume else (0, [])
    _require_agreement(first, world, state)
    loss = targets.make_loss(config, data.bank)
    module = world.spread(network, heads=config.frozen_backbone)
    maker = Maker(config, data.bank, data.settings, targets, world, Degrader(data.bank, world.device))
    batches: Batches = FreshBatches(maker)
    looks = HeldOut(data.validation)
    if config.frozen_backbone and first < config.epochs:
        batches, looks = KeptBatches(maker, network.eval(), progress), looks.keep(network)
    if first == 0 and world.first:  # an early look: what cannot be scored should not wait for an epoch to end
        report(0, float("nan"), targets.score(looks.run(network), data.validation, network.spec))

    for epoch in range(first, config.epochs):
        if is_over(history, targets.HEADLINE, config.patience):
            break
        torch.manual_seed(config.seed + epoch + 1_000_003 * world.rank)  # dropout does not depend on resuming
        total = 0.0
        network.train()
        if config.frozen_backbone:
            network.features.eval()
        size = config.size(epoch, data.bank.side)
        with progress(f"epoch {epoch + 1}/{config.epochs} at {size} px", config.steps) as advance:
            for step in range(config.steps):
                batch = batches.load(epoch, step)
                with torch.autocast(world.device.type, _DTYPES.get(config.arithmetic), config.arithmetic != "fp32"):
                    logits = module(batch.inputs)
                value = loss(logits, batch.truth)
                optimizer.zero_grad()
                scaler.scale(value).backward()  # type: ignore[no-untyped-call]
                scaler.unscale_(optimizer)
                norm = torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_CLIP)
                # With fp16 the scaler skips a step whose gradient overflowed, and goes on with a smaller scale.
                if not value.isfinite() or not (norm.isfinite() or scaler.is_enabled()):
                    raise describe_divergence(
                        epoch, f"loss {float(value.detach())}, gradient norm {float(norm)}", state
                    )
                rate = schedule.get_last_lr()[0]
                scaler.step(optimizer)
                scaler.update()
                schedule.step()
                average.update_parameters(network)
                total += float(value.detach())
                logs.step(epoch * config.steps + step, loss=value.detach(), rate=rate, gradient_norm=norm)
                advance()
        mean = world.mean(total / config.steps)
        if not all(values.isfinite().all() for values in network.state_dict().values()):
            raise describe_divergence(epoch, "weights that are not", state)  # the last step's: no loss has seen them
        if world.first:
            result = average.module if config.ema_decay else network
            assert isinstance(result, Network)
            metrics = targets.score(looks.run(result), data.validation, network.spec)
            history.append({"epoch": epoch + 1, "loss": mean, targets.HEADLINE: metrics[targets.HEADLINE]})
            # The state takes its place last: killed in between, the epoch is done again, and nothing is taken for done.
            with postpone_signals(), save_state(state, config, digest, epoch + 1, history, parts):
                if not config.patience or is_best(history, targets.HEADLINE):
                    facts = _describe_run(config, history, data, origin)
                    checkpoint = save_checkpoint(result, network.spec, metrics, facts, out)
            logs.epoch((epoch + 1) * config.steps, mean, targets.list_scalars(metrics))
            report(epoch + 1, mean, metrics)
        history = world.broadcast(history)  # so that all of them stop together
    trained: Network | None = None
    if world.first:  # also where every epoch was done before
        sha256 = None if checkpoint is None else checkpoint.sha256
        checkpoint, trained = load_checkpoint(out, config.model, sha256=sha256)
        if targets.chooses:
            checkpoint = _choose_spec(checkpoint, trained, targets, batches, config)
    checkpoint = world.broadcast(checkpoint)  # the others have none, and may be on another machine
    assert checkpoint is not None
    return checkpoint, trained


def _build_network(config: TrainingConfig) -> tuple[Network, dict[str, Any]]:
    """Return the first weights, and where they come from, if from a checkpoint: its digest and provenance."""
    if config.from_checkpoint:
        return _go_on(config)
    options = choose_targets(config.model).list_options(config)
    return networks.build(config.model, config.initialisation, options), {}


def check_start(config: TrainingConfig) -> None:
    """Refuse weights that the network cannot start from, before photos are read and scenes drawn, which takes minutes.

    Raises:
        CheckpointError: The checkpoint cannot be trusted, or is another network's with another backbone.
    """
    if config.from_checkpoint:
        _go_on(config)


def _go_on(config: TrainingConfig) -> tuple[Network, dict[str, Any]]:
    """Return a checkpoint's network; of another network's checkpoint, the backbone alone is taken over."""
    start, network = load_checkpoint(Path(config.initialisation))
    if start.spec.name != config.model:
        donor, network = (
            network,
            networks.build(config.model, "random", choose_targets(config.model).list_options(config)),
        )
        network.start_from(donor, config.initialisation)
        return network, {"sha256": start.sha256, "model": start.spec.name}
    network.set_temperatures(Temperatures(explanations=dict.fromkeys(network.spec.reasons, 1.0)))
    return network, {"sha256": start.sha256, **start.provenance}


def _make_optimizer(config: TrainingConfig, network: Network) -> torch.optim.Optimizer:
    """Return the optimizer of what learns; a backbone that does not is told so here."""
    if config.frozen_backbone:
        network.features.requires_grad_(False)
    learning = [value for value in network.parameters() if value.requires_grad]
    if config.optimizer == "sgd":
        return torch.optim.SGD(learning, config.learning_rate, momentum=_MOMENTUM, weight_decay=config.weight_decay)
    return torch.optim.AdamW(learning, lr=config.learning_rate, weight_decay=config.weight_decay)


def _choose_spec(
    checkpoint: Checkpoint, network: Network, targets: Targets, batches: Batches, config: TrainingConfig
) -> Checkpoint:
    """Write what is chosen on training samples, such as a threshold, into the checkpoint's header."""
    network.eval()
    outputs, truth = run_batches(network, batches, config)
    spec = targets.choose_spec(outputs, truth, checkpoint.spec)
    if spec == checkpoint.spec:
        return checkpoint
    return save_checkpoint(network, spec, checkpoint.metrics, checkpoint.provenance, checkpoint.path)


def _require_agreement(first: int, world: World, state: Path) -> None:
    told = world.broadcast(first)
    if world.mean(float(told != first)):  # every process stops: one that is left waits for the others
        raise TrainingError(
            "the processes do not see the same state file",
            where=state,
            expected=f"{told} epochs done, as in process 0",
            got=f"{first} in process {world.rank}",
            remedy="put --out into a folder that all machines share",
        )


def _describe_run(
    config: TrainingConfig, history: list[dict[str, Any]], data: TrainingData, origin: dict[str, Any]
) -> dict[str, Any]:
    import torchvision

    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    facts = {"config": asdict(config), "history": history, "data": data.facts, "versions": versions}
    return {**facts, "origin": origin} if origin else facts

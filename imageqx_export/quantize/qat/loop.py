"""Teach a quantized network what the float one answers: one loop, to be read from top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from imageqx_export.decisions import QUALITY
from imageqx_export.errors import TrainingError
from imageqx_export.quantize.distillation import Answers, compute_distillation_loss, select_probabilities
from imageqx_export.quantize.qat.student import LearntValues, Student, run_teacher
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.signals import postpone_signals
from imageqx_export.training.config import require_seed_and_shares
from imageqx_export.training.state import describe_divergence, load_state, save_state

if TYPE_CHECKING:
    from torch.fx import GraphModule

GRADIENT_CLIP = 5.0
BATCH = 8


@dataclass(frozen=True)
class QatConfig:
    """A fine-tuning's configuration, which a state file must agree with.

    Args:
        checkpoint_sha256: Of the float network.
        recipe_sha256: Of the recipe that the ranges come from.
        epochs: Passes over ``samples`` fresh samples each.
        samples: Samples an epoch.
        batch_size: Samples a step.
        learning_rate: Adam's, at the cosine's top, in int8 steps: about so much a weight moves each time. All weights
            of a sum may move to the same side, while rounding's errors of up to half a step cancel; so it is small.
        ema_decay: Of the averaged weights, which are the ones that are kept; 0 keeps the weights themselves.
        synthetic_scenes: Synthetic scenes to make samples from.
        photo_share: Of the samples, the share that is made from photos, where there are any.
        rated_share: Likewise of rated photos as they are.
        clean_share: Of the samples, the share of good photos as they are, every other one a little brighter; under 1.
        validation_samples: Held-out samples to compare with the float network before the first and after every epoch.
        seed: Of everything random; under 2 ** 31.
    """

    checkpoint_sha256: str
    recipe_sha256: str
    epochs: int = 3
    samples: int = 2048
    batch_size: int = 16
    learning_rate: float = 0.002
    ema_decay: float = 0.98
    synthetic_scenes: int = 2048
    photo_share: float = 0.7
    rated_share: float = 0.7
    clean_share: float = 0.25
    validation_samples: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.clean_share < 1:
            raise TrainingError("the clean share must lie in [0, 1)", got=str(self.clean_share))
        if min(self.epochs, self.samples, self.batch_size, self.validation_samples) < 1:
            raise TrainingError("epochs, samples, batch size and validation samples must be at least 1")
        if not 0 < self.learning_rate <= 127:  # a weight has no more steps than that; NaN is refused too
            raise TrainingError("the learning rate must lie in (0, 127] int8 steps", got=str(self.learning_rate))
        require_seed_and_shares(self, ("ema_decay", "photo_share", "rated_share"))

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return -(-self.samples // self.batch_size)


@dataclass(frozen=True)
class Closeness:
    """The distance of a quantized network's answers from the float one's.

    Args:
        quality: Mean |Δ| of the labels' probabilities, or of those that a photo is good.
        explanations: Mean |Δ| of the reasons', or of all other probabilities.
        agreement: Per cent of photos with the same most probable label, or that are good in both or neither, at 0.5.
    """

    quality: float
    explanations: float
    agreement: float


Report = Callable[[int, float, Closeness], None]


@dataclass(frozen=True)
class DistillationTask:
    """A student, its teacher, and the photos that it learns on.

    Args:
        student: What learns, on its device.
        teacher: The float network's captured graph, there too.
        batch: Gives the pixels of an epoch's step, uint8 [N,H,W,3], there too.
        validation: Pixels of held-out photos, uint8 [N,H,W,3], on any device.
        digest: Of all that samples are made from.
    """

    student: Student
    teacher: GraphModule
    batch: Callable[[int, int], Tensor]
    validation: Tensor
    digest: str


def learn(
    config: QatConfig,
    lesson: DistillationTask,
    state: Path,
    device: torch.device,
    *,
    keep: Callable[[list[Tensor], list[dict[str, Any]]], None],
    resume: bool = True,
    progress: Progress = silent,
    report: Report = lambda epoch, loss, closeness: None,
) -> list[Tensor]:
    """Fine-tune, going on from the state file if there is one of the same configuration and data.

    Long because it is the one loop, which is read from top to bottom.

    Args:
        config: How.
        lesson: Who and on what.
        state: What a later run resumes from.
        device: Where to compute.
        keep: Called after every epoch with what was learnt and the history, to write it; the state takes its place
            when it has returned.
        resume: Whether an existing state file is used.
        progress: Opens a bar per epoch.
        report: Called before the first epoch (as epoch 0) and after every one.

    Returns:
        What was learnt, each parameter divided by its unit.

    Raises:
        TrainingError: The loss or a weight is not a number, or the state file is of another run; the last good state
            is kept.
        KeyboardInterrupt: Ctrl-C; likewise.
    """
    torch.manual_seed(config.seed)
    student = lesson.student
    units = student.make_values().to(device)
    average: Any = AveragedModel(units, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))  # type: ignore[no-untyped-call]
    optimizer = torch.optim.Adam(units.parameters(), lr=config.learning_rate)
    schedule = CosineAnnealingLR(optimizer, config.epochs * config.steps, config.learning_rate / 100)
    parts = [units, average, optimizer, schedule]
    first, history = load_state(state, config, lesson.digest, parts) if resume else (0, [])
    truth = collect_answers(lesson.teacher, lesson.validation, device)
    if first == 0:
        report(0, float("nan"), measure_closeness(student, units(), lesson.validation, truth, device))

    for epoch in range(first, config.epochs):
        total = 0.0
        with progress(f"epoch {epoch + 1}/{config.epochs}", config.steps) as advance:
            for step in range(config.steps):
                pixels = lesson.batch(epoch, step)
                wanted = run_teacher(lesson.teacher, student.matched, pixels)
                value = compute_distillation_loss(student.run(units(), pixels), wanted)
                optimizer.zero_grad()
                value.backward()  # type: ignore[no-untyped-call]
                norm = torch.nn.utils.clip_grad_norm_(units.parameters(), GRADIENT_CLIP)
                if not (value.isfinite() and norm.isfinite()):
                    raise describe_divergence(
                        epoch, f"loss {float(value.detach())}, gradient norm {float(norm)}", state
                    )
                optimizer.step()
                schedule.step()
                average.update_parameters(units)
                total += float(value.detach())
                advance()
        if not all(values.isfinite().all() for values in units()):
            raise describe_divergence(epoch, "weights that are not", state)
        learnt = _select_weights(config, units, average)
        near = measure_closeness(student, learnt, lesson.validation, truth, device)
        history.append({"epoch": epoch + 1, "loss": total / config.steps, "mean_abs_quality": near.quality})
        # The state takes its place last: killed in between, the epoch is done again, and nothing is taken for done.
        with postpone_signals(), save_state(state, config, lesson.digest, epoch + 1, history, parts):
            keep(learnt, history)
        report(epoch + 1, total / config.steps, near)
    return _select_weights(config, units, average)


def collect_answers(graph: GraphModule, photos: Tensor, device: torch.device) -> Answers:
    """Return the float network's outputs for uint8 [N,H,W,3], on the CPU."""
    return _join([run_teacher(graph, (), batch.to(device))[0] for batch in torch.split(photos, BATCH)])


def measure_closeness(
    student: Student, units: list[Tensor], photos: Tensor, truth: Answers, device: torch.device
) -> Closeness:
    """Compare the student with the teacher's answers."""
    with torch.no_grad():
        found = _join([student.run(units, batch.to(device))[0] for batch in torch.split(photos, BATCH)])
    far = [(name, (found[name] - wanted).abs()) for name, wanted in select_probabilities(truth).items()]
    (first, quality), *others = far
    same = _decide(first, found[first]) == _decide(first, truth[first])
    return Closeness(
        quality=float(quality.mean()),
        explanations=float(torch.cat([one.flatten() for _, one in others]).mean()) if others else 0.0,
        agreement=100 * float(same.float().mean()),
    )


def _decide(name: str, values: Tensor) -> Tensor:
    return values.argmax(1) if name == QUALITY else values[:, 0] >= 0.5


def _join(rows: list[Answers]) -> Answers:
    return {name: torch.cat([row[name].cpu() for row in rows]) for name in rows[0]}


def _select_weights(config: QatConfig, units: LearntValues, average: Any) -> list[Tensor]:
    return [value.detach() for value in (average.module if config.ema_decay else units)()]

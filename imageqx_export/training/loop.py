"""Train ImageQX: one loop, to be read from top to bottom."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from imageqx_export.artifact import Checkpoint, Preprocessing
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.data.folder import PhotoFolder
from imageqx_export.data.samples import Sample, Samples, batch
from imageqx_export.errors import TrainingError, UnknownNameError
from imageqx_export.files import written_aside
from imageqx_export.networks.imageqx import ImageQX
from imageqx_export.networks.imageqx_spec import spec
from imageqx_export.networks.warmstart import warm_start
from imageqx_export.progress import Progress, silent
from imageqx_export.training.losses import class_weights, loss
from imageqx_export.training.metrics import score

INITIALISATIONS = ("imagenet", "lite0", "random")
# Samples of a seed never repeat within a run; validation draws from a seed that no run uses.
VALIDATION_SEED = 2**31


@dataclass(frozen=True)
class TrainingConfig:
    """Say how to train.

    Args:
        epochs: Passes over ``samples`` fresh samples each; 39 in the paper.
        samples: Samples an epoch.
        batch_size: Samples a step.
        learning_rate: AdamW's, at the top of the cosine.
        weight_decay: AdamW's.
        ema_decay: Of the averaged weights, which are the ones that are saved.
        small_epochs: Of ``epochs``, how many come first at ``small_size`` pixels a side: 2.9 × as many photos a second.
        small_size: Pixels a side.
        restarts: How many times the cosine starts again.
        initialisation: ``"imagenet"`` (torchvision's download), ``"lite0"`` (from PyPI) or ``"random"``.
        photo_share: Of the samples, the share that is made from photos, where there are any.
        validation_samples: Held-out samples that are scored after every epoch.
        workers: Processes that draw samples; 0 draws them in this one.
        seed: Of the samples and the heads' first weights.
    """

    epochs: int = 39
    samples: int = 2048
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    ema_decay: float = 0.99
    small_epochs: int = 0
    small_size: int = 160
    restarts: int = 0
    initialisation: str = "random"
    photo_share: float = 0.7
    validation_samples: int = 256
    workers: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.initialisation not in INITIALISATIONS:
            raise UnknownNameError("initialisation", self.initialisation, INITIALISATIONS)
        if min(self.epochs, self.samples, self.batch_size, self.validation_samples) < 1:
            raise TrainingError("epochs, samples, batch size and validation samples must be at least 1")


class _Epoch(Dataset[Sample]):
    def __init__(self, samples: Samples, start: int, count: int) -> None:
        self.samples, self.start, self.count = samples, start, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        return self.samples[self.start + index]


def train(
    config: TrainingConfig,
    out: Path,
    train_photos: PhotoFolder | None = None,
    val_photos: PhotoFolder | None = None,
    *,
    resume: bool = True,
    progress: Progress = silent,
    report: Callable[[int, float, dict[str, Any]], None] = lambda epoch, loss, metrics: None,
) -> Checkpoint:
    """Train and write ``out``, going on from ``out``'s state file if there is one of the same configuration.

    Args:
        config: How to train.
        out: The checkpoint; ``<out>.state`` beside it holds what a later run resumes from.
        train_photos: Photos to mix into the samples.
        val_photos: Photos to mix into the validation samples; of other patients.
        resume: Whether an existing state file is used.
        progress: Opens a bar per epoch.
        report: Called after every epoch with its number, mean loss and validation metrics.

    Raises:
        TrainingError: The loss is not a number, or the state file belongs to another configuration; the last
            good state and checkpoint are kept.
        KeyboardInterrupt: Ctrl-C; likewise.
    """
    torch.manual_seed(config.seed)
    network = _initial(config.initialisation)
    averaging = get_ema_multi_avg_fn(config.ema_decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    steps = -(-config.samples // config.batch_size)
    cycle = max(1, -(-config.epochs * steps // (config.restarts + 1)))
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, cycle, eta_min=config.learning_rate / 100
    )
    samples = Samples(config.seed, train_photos, config.photo_share)
    weights = class_weights(_label_counts(samples))
    held_out = batch(Samples(VALIDATION_SEED, val_photos, config.photo_share), range(config.validation_samples))
    state_path = out.with_suffix(out.suffix + ".state")
    first, history = _resumed(state_path, config, network, average, optimizer, schedule) if resume else (0, [])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    average.to(device)

    for epoch in range(first, config.epochs):
        size = config.small_size if epoch < config.small_epochs else Preprocessing().height
        epoch_set = _Epoch(samples, epoch * config.samples, config.samples)
        loader = DataLoader(
            epoch_set, config.batch_size, num_workers=config.workers, collate_fn=_collate, worker_init_fn=_serial
        )
        torch.manual_seed(config.seed + epoch)  # dropout does not depend on where a run was resumed
        network.train()
        total = 0.0
        with progress(f"epoch {epoch + 1}/{config.epochs} at {size} px", steps) as advance:
            for images, quality, flags in loader:
                pixels = normalised(images.to(device), size)
                value = loss(
                    network.logits(network.features(pixels)), quality.to(device), flags.to(device), weights.to(device)
                )
                if not value.isfinite():
                    raise TrainingError(
                        "the loss is not a number", where=f"epoch {epoch + 1}", got=str(float(value.detach())),
                        remedy=f"a smaller --learning-rate; the state before this epoch is kept in {state_path}",
                    )  # fmt: skip
                optimizer.zero_grad()
                value.backward()  # type: ignore[no-untyped-call]
                if not torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0).isfinite():
                    raise TrainingError(
                        "the loss's gradient is not a number", where=f"epoch {epoch + 1}", got="NaN or infinite",
                        remedy=f"a smaller --learning-rate; the state before this epoch is kept in {state_path}",
                    )  # fmt: skip
                optimizer.step()
                schedule.step()
                average.update_parameters(network)
                total += float(value.detach())
                advance()
        averaged = average.module
        assert isinstance(averaged, ImageQX)
        metrics = evaluate(averaged, *held_out)
        history.append({"epoch": epoch + 1, "loss": total / steps, "quality_macro_f1": metrics["quality_macro_f1"]})
        with _uninterrupted():
            # The state comes last: killed in between, the epoch is done again, and nothing is taken for finished.
            checkpoint = save_checkpoint(averaged, spec(), metrics, _provenance(config, history, train_photos), out)
            _save_state(state_path, config, epoch + 1, history, network, average, optimizer, schedule)
        report(epoch + 1, total / steps, metrics)
    if first >= config.epochs:
        checkpoint, _ = load_checkpoint(out)
    return checkpoint


def normalised(images: Tensor, size: int) -> Tensor:
    """Turn uint8 [N,224,224,3] into normalised float32 [N,3,size,size], channels last in memory."""
    recipe = Preprocessing()
    pixels = images.permute(0, 3, 1, 2).float().div(255)
    if size != pixels.shape[-1]:
        pixels = functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    mean = torch.tensor(recipe.mean, device=pixels.device)[:, None, None]
    std = torch.tensor(recipe.std, device=pixels.device)[:, None, None]
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


def evaluate(
    network: ImageQX, images: NDArray[np.uint8], labels: NDArray[np.int64], flags: NDArray[np.float32]
) -> dict[str, Any]:
    """Score ``network`` on labelled photos uint8 [N,224,224,3]; see :func:`metrics.score` for what comes back."""
    network.eval()
    device = next(network.parameters()).device
    quality, explanations = [], []
    with torch.inference_mode():
        for start in range(0, len(images), 32):
            chunk = torch.from_numpy(images[start : start + 32]).to(device)
            outputs = network(normalised(chunk, chunk.shape[1]))
            quality.append(outputs.quality.cpu().numpy())
            explanations.append(outputs.explanations.cpu().numpy())
    return score(np.concatenate(quality), np.concatenate(explanations), labels, flags)


def _initial(initialisation: str) -> ImageQX:
    network = ImageQX("imagenet" if initialisation == "imagenet" else "random")
    if initialisation == "lite0":
        warm_start(network)
    return network


def _collate(items: list[Sample]) -> tuple[Tensor, Tensor, Tensor]:
    images = torch.from_numpy(np.stack([item.image for item in items]))
    quality = torch.tensor([item.quality for item in items])
    return images, quality, torch.from_numpy(np.stack([item.explanations for item in items]))


def _serial(worker: int) -> None:
    import cv2

    cv2.setNumThreads(0)  # OpenCV's threads do not survive the fork that made this worker


def _label_counts(samples: Samples) -> Tensor:
    """Estimate the label counts from labels alone; drawing the pictures would take a minute."""
    return torch.bincount(torch.tensor([samples.label(i) for i in range(2000)]), minlength=4)


def _provenance(config: TrainingConfig, history: list[dict[str, Any]], photos: PhotoFolder | None) -> dict[str, Any]:
    import cv2
    import torchvision

    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "opencv": cv2.__version__}
    return {
        "config": asdict(config),
        "history": history,
        "photos": None if photos is None else {"used": photos.counts(), "skipped": photos.skipped},
        "versions": versions,
    }


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off until the state and the checkpoint, which belong together, are both written."""
    try:
        pending: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, frame: pending.append(number))
    except ValueError:  # not the main thread, where no Ctrl-C arrives
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pending:
        raise KeyboardInterrupt


def _save_state(path: Path, config: TrainingConfig, epoch: int, history: list[Any], *parts: Any) -> None:
    state = {"config": asdict(config), "epoch": epoch, "history": history, "parts": [p.state_dict() for p in parts]}
    with written_aside(path) as aside:
        torch.save(state, aside)


def _resumed(path: Path, config: TrainingConfig, *parts: Any) -> tuple[int, list[dict[str, Any]]]:
    if not path.is_file():
        return 0, []
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        saved = dict(state["config"])
    except Exception as error:  # torch raises whatever the damaged bytes provoke
        raise _unusable("the state file cannot be read", path, error) from error
    if saved != asdict(config):
        changed = [name for name, value in asdict(config).items() if saved.get(name) != value]
        raise TrainingError(
            "the state file belongs to another configuration", where=path, got=f"other values for {', '.join(changed)}",
            remedy="pass the same options to go on, or --fresh to start over",
        )  # fmt: skip
    try:
        for part, values in zip(parts, state["parts"], strict=True):
            part.load_state_dict(values)
        return int(state["epoch"]), list(state["history"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise _unusable("the state file does not fit this version", path, error) from error


def _unusable(what: str, path: Path, error: Exception) -> TrainingError:
    got = f"{type(error).__name__}: {error}".splitlines()[0]
    return TrainingError(what, where=path, got=got, remedy="pass --fresh to start over")

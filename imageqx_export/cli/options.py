"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imageqx_export.errors import UnknownNameError

if TYPE_CHECKING:
    from imageqx_export.artifact import Format, Precision

DEFAULT_CHECKPOINT = Path("models/imageqx.safetensors")

CheckpointOption = Annotated[Path, typer.Option("--checkpoint", help="The trained weights, as safetensors.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output instead of tables.")]
PhotosOption = Annotated[Path | None, typer.Option("--photos", help="A folder of photos.", metavar="DIR")]


def parse_names(kind: str, text: str, known: type[Format] | type[Precision]) -> list[str]:
    """Split ``"a,b"`` and check every name, keeping the order and dropping repetitions.

    Raises:
        UnknownNameError: A name is not a member of ``known``; the message lists those that are.
    """
    names = list(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    values = [str(member) for member in known]
    for name in names or [""]:
        if name not in values:
            raise UnknownNameError(kind, name, values)
    return names

"""Print what an import took from another trainer's file, and what was missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.cli.show.console import note, out, print_json

if TYPE_CHECKING:
    from imageqx_export.checkpoint_import import Imported

_NAMED = 3


def show_import(result: Imported, source: Path, *, as_json: bool) -> None:
    """Print the import in lines, with the command to run next; or everything as JSON."""
    written = result.checkpoint
    if as_json:
        print_json(result.model_dump(mode="json"))
        return
    lines = [
        ("names", f"{result.layout}'s" + "".join(f", behind {prefix}" for prefix in result.wrappers)),
        ("weights under", result.state),
        ("taken", f"{result.mapped} tensors" + f", {result.converted} of 16 bits" * bool(result.converted)),
        ("left out", _list(result.left_out)),
        ("set to 0", f"{len(result.filled)} counters of batches" * bool(result.filled)),
        ("random", _list(result.untrained)),
        ("written", f"{written.path}  sha256 {written.sha256[:12]}"),
    ]
    for name, text in lines:
        if text:
            out.print(f"{name + ':':<15}{text}", highlight=False, soft_wrap=True)
    if result.untrained:
        note(f"{source} has no heads of ImageQX: train them by imageqx train --init {written.path}")
    else:
        note(
            f"it has thresholds of 0.5 and no temperatures: imageqx thresholds --checkpoint {written.path} chooses them"
        )


def _list(names: tuple[str, ...]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

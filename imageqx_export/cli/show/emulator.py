"""Print what the emulated phones are built of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imageqx_export.cli.show.console import note, out, print_json
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from imageqx_export.bench.emulator.cache import Built

_SHOWN = ("qemu", "python3.13-minimal", "libc6", "adbd", "ai-edge-litert", "onnxruntime", "numpy")


def show_parts(parts: Sequence[Built], seconds: float, *, as_json: bool) -> None:
    """Print each part's size, what it took to make, and the versions that matter.

    Args:
        parts: Their records.
        seconds: What this run took; parts that were there already took nothing of it.
        as_json: Print the whole records.
    """
    from imageqx_export.bench.emulator.cache import find_folder

    if as_json:
        print_json(
            {
                "folder": str(find_folder()),
                "seconds": seconds,
                "parts": [part.model_dump(mode="json") for part in parts],
            }
        )
        return
    table = Table(title=f"{find_folder()}/", title_justify="left")
    table.add_column("part")
    table.add_column("MB", justify="right")
    table.add_column("made in", justify="right")
    table.add_column("downloads", justify="right")
    table.add_column("with")
    for part in parts:
        versions = "\n".join(f"{name} {part.versions[name]}" for name in _SHOWN if name in part.versions)
        size, downloads = f"{part.size_bytes / 1e6:.0f}", str(len(part.files) or "")
        table.add_row(part.part, size, f"{part.seconds:.0f} s", downloads, versions)
    out.print(table)
    note(f"ready in {seconds:.0f} s; imageqx bench artifacts/imageqx --target emulated:cortex-a76")

"""Show who is right on phones' accelerators: our files, and what others' tools make of the same network.

``python -m benchmarks.bench_accelerators`` prints a table; ``--markdown`` the one for docs/accelerators.md, ``--json``
its numbers.
All files take the same uint8 pixels, and every peer's is compared with what it says itself on this CPU, so that a
peer's own loss by quantization is not held against it here. Qualcomm's simulator needs
IMAGEQX_ACCEPT_QUALCOMM_LICENSE=1.

The float peers are the bare exporters' (torch's dynamo exporter; litert-torch), with pixels that become float32 in the
network, as torchvision's examples do it; the quantized ones are made of these with the tools' defaults.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.int8_peers import PEERS, make_cached
from imageqx_export.artifact import Format
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.cli.options import DEFAULT_CHECKPOINT
from imageqx_export.cli.show.compat import figures
from imageqx_export.compat.model import AcceleratorResult
from imageqx_export.compat.stage import check_compat
from imageqx_export.data.images import gather_calibration_images
from imageqx_export.errors import ImageQXError
from imageqx_export.support.files import digest
from imageqx_export.support.folders import Layout, stage_folder
from imageqx_export.support.processes import quiet, run_isolated
from imageqx_export.support.progress import bar

TARGETS = ("gpu", "qualcomm:SM8650", "ethos-u:U65-256")


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/imageqx"))
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT)
    parser.add_argument("--target", action="append", help="as of imageqx compat; may be repeated")
    parser.add_argument("--file", type=Path, action="append", default=[], help="another peer's file; may be repeated")
    parser.add_argument(
        "--cache", type=Path, default=Path("build/bench_accelerators"), help="where peers' files are kept"
    )
    parser.add_argument("--peers-only", action="store_true", help="leave our own files out")
    parser.add_argument("--json", action="store_true", help="print numbers instead of a table")
    parser.add_argument("--markdown", action="store_true", help="print the table for docs/accelerators.md")
    options = parser.parse_args(argv)
    targets = options.target or TARGETS
    files = [*make_peers(options.artifacts, options.checkpoint, options.cache), *options.file]
    rows: list[AcceleratorResult] = []
    if not options.peers_only:
        rows += check_compat(options.artifacts, targets, progress=bar).results
    rows += check_compat(options.artifacts, targets, files=files, progress=bar).results
    if options.json:
        print(json.dumps([row.model_dump(mode="json") for row in rows], indent=2))
    elif options.markdown:
        print(to_markdown(rows))
    else:
        Console(width=160).print(to_table(rows))
    return 0


def make_peers(artifacts: Path, checkpoint: Path, cache: Path) -> list[Path]:
    """Return the peers' files, made now or earlier; a tool that fails has none, and says so."""
    folder = cache / f"floats-{digest(checkpoint)[:16]}"
    if not folder.exists():
        with stage_folder(folder, Layout("peers' files", (r".*\.(onnx|tflite)",))) as staging:
            for write in (write_torch, write_litert):
                run_isolated(write, checkpoint, staging.path)
            staging.publish()
    sources = {Format.ONNX: folder / "torch_onnx.onnx", Format.TFLITE: folder / "litert_torch.tflite"}
    images, _ = gather_calibration_images(None, progress=bar)
    files = list(sources.values())
    for peer in PEERS:
        if peer.format not in sources:
            continue
        try:
            file = make_cached(peer, sources[peer.format], images, cache)
        except ImageQXError as error:
            print(f"{peer.name}: {error}")
            continue
        named = folder / f"{peer.make.__name__}{peer.format.suffix}"
        named.write_bytes(file.read_bytes())
        files.append(named)
    return files


def write_torch(checkpoint: Path, folder: Path) -> None:
    """Write what torch's dynamo exporter makes of the network, as it is."""
    from imageqx_export.export.onnx.exporter import convert

    with quiet():
        held, network = load_checkpoint(checkpoint, "imageqx")
        model = convert(network.fold("NHWC"), held)
        (folder / "torch_onnx.onnx").write_bytes(model.SerializeToString())


def write_litert(checkpoint: Path, folder: Path) -> None:
    """Write what litert-torch makes of the network, as it is."""
    from imageqx_export.export.tflite.exporter import convert

    with quiet():
        held, network = load_checkpoint(checkpoint, "imageqx")
        model = convert(network.fold("NHWC"), held.spec)
        (folder / "litert_torch.tflite").write_bytes(bytes(model.model_content()))


def cells(rows: Sequence[AcceleratorResult]) -> dict[str, dict[str, str]]:
    """Return file → accelerator → what is to be said."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        operators, labels, worst, _, _ = figures(row)
        parts = [row.verdict, *(text for text in (operators, labels and f"{labels} labels", worst) if text)]
        found.setdefault(row.artifact, {})[f"{row.target} {row.chip}"] = ", ".join(parts)
    return found


def to_table(rows: Sequence[AcceleratorResult]) -> Table:
    """Return the table for a terminal."""
    columns = list(dict.fromkeys(f"{row.target} {row.chip}" for row in rows))
    table = Table("file", *columns, title="answer, operators taken, labels kept, max |Δ|; none of it on silicon")
    for name, row in cells(rows).items():
        table.add_row(name, *(row.get(column, "–") for column in columns))
    return table


def to_markdown(rows: Sequence[AcceleratorResult]) -> str:
    """Return the table for docs/accelerators.md."""
    columns = list(dict.fromkeys(f"{row.target} {row.chip}" for row in rows))
    lines = ["| file | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in cells(rows).items():
        lines.append(f"| {name} | " + " | ".join(row.get(column, "–") for column in columns) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())

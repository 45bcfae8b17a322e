"""Print what was published, pulled, listed and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.cli.show.console import join, note, out, print_json, style
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from imageqx_export.release.diff import Comparison
    from imageqx_export.release.proposals import Proposed
    from imageqx_export.release.publish import Published
    from imageqx_export.release.pull import Pulled
    from imageqx_export.release.verify import Verification

_KINDS = {
    "breaks": "would break an app",
    "spec": "ModelSpec",
    "file": "new file",
    "size": "bytes",
    "score": "score",
    "latency": "milliseconds",
    "minimum": "minimum runtime",
}


def show_keys(folder: Path, address: str) -> None:
    """Say where the keys are, and what to do with them."""
    note(
        f"made keys in {folder} and an empty release tree at {address}\n"
        f"  {folder}/root        take it offline; it is needed to replace keys\n"
        f"  {folder}/root.json   is public; give it to those who pull: --root root.json"
    )


def show_proposed(proposed: Sequence[Proposed]) -> None:
    """Say what each root of a proposal changes, a line each, and how many keys have signed it."""
    for one in proposed:
        head = join(style(one.file, "bold"), f" signed by {one.signatures} of {one.needed}")
        out.print(head, *(f"  {change}" for change in one.changes), sep="\n", soft_wrap=True, highlight=False)


def show_signed(proposed: Sequence[Proposed], folder: Path) -> None:
    """Say how many keys have signed a proposal, and what to do next."""
    if all(one.complete for one in proposed):
        note(f"enough have signed: imageqx keys apply {folder} --keys KEYS --to ADDRESS, where releases are published")
    else:
        least = min(proposed, key=lambda one: one.signatures - one.needed)
        note(
            f"signed by {least.signatures} of {least.needed}: take {folder} to where keys of root are: "
            f"imageqx keys sign {folder} --keys KEYS"
        )


def show_applied(applied: Sequence[Proposed]) -> None:
    """Say which root is the newest now."""
    note(f"published root {applied[-1].version}; apps follow, and KEYS/root.json is the new one")


def show_published(published: Published, address: str, *, as_json: bool) -> None:
    """Print the release, and how to pull it."""
    row = published.listed
    if as_json:
        print_json(
            {
                **row.model_dump(),
                "files": published.files,
                "size_bytes": published.size_bytes,
                "new": published.new,
                "to": address,
            }
        )
        return
    word = "published" if published.new else "was published already, with these bytes:"
    size = f"{published.files} files, {published.size_bytes:,} bytes"
    text = f" {row.model}@{row.version} ({row.channel}) at {address}: {size}"
    out.print(join(style(word, "green"), text), soft_wrap=True, highlight=False)


def show_pulled(pulled: Pulled, address: str, *, as_json: bool) -> None:
    """Print where the model is now, and the lines by which the app's own tools take it."""
    from imageqx_export.release.lines import write_lines

    release, one = pulled.release, pulled.artifact
    if as_json:
        print_json(
            {
                "model": release.model,
                "version": release.version,
                "format": one.format,
                "precision": one.precision,
                "path": str(pulled.path),
                "sha256": one.sha256,
                "size_bytes": one.size_bytes,
                "downloaded_bytes": pulled.downloaded,
            }
        )
        return
    text = f" {release.model}@{release.version} {one.name}: {one.size_bytes:,} bytes, SHA-256 {one.sha256}"
    out.print(join(style(pulled.path, "bold"), text), soft_wrap=True, highlight=False)
    note(f"by the app's own tools:\n{write_lines(address, release, one)}")


def show_releases(rows: Sequence[tuple[str, str, str]], *, as_json: bool) -> None:
    """Print a line a release."""
    if as_json:
        print_json([{"model": model, "version": version, "channel": channel} for model, version, channel in rows])
        return
    if not rows:
        note("no releases yet")
    for model, version, channel in rows:
        out.print(join(style(f"{model}@{version}", "bold"), f"  {channel}"), highlight=False)


def show_comparison(comparison: Comparison, *, as_json: bool) -> None:
    """Print a table of what differs."""
    if as_json:
        print_json({**comparison.model_dump(), "breaks": bool(comparison.breaks)})
        return
    table = Table(title=f"{comparison.model}: {comparison.old} → {comparison.new}")
    for name in ("what", "", comparison.old, comparison.new):
        table.add_column(name)
    for row in comparison.rows:
        kind = style(_KINDS[row.kind], "bold red" if row.kind == "breaks" else "")
        table.add_row(kind, row.what, _format(row.old), _format(row.new))
    if comparison.rows:
        out.print(table)
    if comparison.breaks:
        out.print(style(f"{len(comparison.breaks)} changes would break an app", "bold red"))
    else:
        out.print(style("nothing here would break an app", "green"))


def show_verification(verification: Verification, *, as_json: bool) -> None:
    """Print what is wrong or unknown, and how much is right."""
    if as_json:
        print_json({"passed": verification.passed, **verification.model_dump()})
        return
    for check in verification.checks:
        if check.state != "right":
            head = style(check.state, "bold red" if check.state == "wrong" else "yellow")
            out.print(join(head, f"  {check.part}  {check.what}: {check.detail}"), soft_wrap=True, highlight=False)
    for part in dict.fromkeys(check.part for check in verification.checks):
        rows = [check for check in verification.checks if check.part == part]
        right = sum(check.state == "right" for check in rows)
        out.print(f"{part}: {right} of {len(rows)} right", highlight=False)


def show_rotated(role: str, old: Path) -> None:
    """Say which key file has had its day."""
    note(f"{role} has a new key; {old} signs nothing any more and may be deleted")


def show_renewed(days: Mapping[str, float]) -> None:
    """Say for how long the list is believed."""
    note(f"signed again; believed for {min(days['timestamp'], days['snapshot']):g} days")


def _format(value: str | float | None) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"

"""Print what a model says of photos, a row at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.cli.show.console import err, join, note, out, print_line, style
from imageqx_export.data.photos import describe_left_out
from imageqx_export.decisions import GOOD
from imageqx_export.errors import PhotoError
from imageqx_export.predict.addresses import show_place
from imageqx_export.predict.records import make_record
from imageqx_export.support.progress import bar

if TYPE_CHECKING:
    from imageqx_export.predict.archive.stage import Summary
    from imageqx_export.predict.batch import Judged
    from imageqx_export.predict.verdict import Verdict

_ADVICE = {
    "poor_quality": ("red", "take it again"),
    "no_skin": ("yellow", "no skin in the picture"),
}
_BAR_AFTER = 2.0  # seconds; before, the rows themselves are quick enough
_NAMED = 5


def open_bar(description: str, total: int) -> AbstractContextManager[Callable[[], None]]:
    """Open a bar that shows from two seconds on, on the terminal that the rows go to if they go to one."""
    shared = out.is_terminal and err.is_terminal
    return bar(description, total, console=out if shared else err, after=_BAR_AFTER)


def show_row(row: Judged, *, as_json: bool) -> None:
    """Print what became of one photo."""
    if as_json:
        print_line(json.dumps(make_record(row)))
    elif isinstance(row.result, PhotoError):
        _show_unreadable(row.photo, row.result)
    else:
        _show_verdict(row.result)


@dataclass
class Tally:
    """What has been printed so far.

    Args:
        judged: Photos with a verdict.
        unreadable: Those without.
        several: Those whose file holds several pictures, and how many.
    """

    judged: int = 0
    unreadable: list[Path | str] = field(default_factory=list)
    several: dict[Path | str, int] = field(default_factory=dict)

    def add(self, row: Judged) -> None:
        """Count one row."""
        if isinstance(row.result, PhotoError):
            self.unreadable.append(row.photo)
            return
        self.judged += 1
        if row.pictures > 1:
            self.several[row.photo] = row.pictures


def show_end(
    tally: Tally, left_out: Mapping[str, int], attention: Path | None, page: Path | None = None, *, as_json: bool
) -> None:
    """Print what all rows come to: what was passed over, and what could not be read."""
    if as_json and left_out:
        print_line(json.dumps({"left_out": dict(left_out)}))
    if attention is not None:
        note(f"attention: {attention}")
    if page is not None:
        note(f"contact sheet: {page}")
    _note_pictures(tally.several)
    if left_out:
        note(describe_left_out(left_out).strip(" ()"))
    count = len(tally.unreadable)
    _tell_unreadable(count, count + tally.judged, tally.unreadable[:_NAMED])


def show_summary(summary: Summary, left_out: Mapping[str, int], *, as_json: bool) -> None:
    """Print what a table holds, what was passed over, and what could not be read."""
    if as_json:
        said = {name: value for name, value in asdict(summary).items() if name != "named"}
        print_line(json.dumps({**said, "left_out": dict(left_out)}))
    else:
        photos = f"{summary.photos:,} photo" + ("" if summary.photos == 1 else "s")
        kept = f", {summary.kept:,} of them kept by an earlier run" if summary.kept else ""
        out.print(f"{show_place(summary.out)}: {photos}{kept}; {summary.retake:,} to take again", soft_wrap=True)
    if left_out:
        note(describe_left_out(left_out).strip(" ()"))
    _tell_unreadable(summary.unreadable, summary.photos, summary.named)


def _tell_unreadable(count: int, all_of_them: int, first: Sequence[Path | str]) -> None:
    if count:
        names = ", ".join(map(show_place, first)) + (", …" if count > len(first) else "")
        failed = f"{count} of {all_of_them} photos" if all_of_them > 1 else "the photo"
        err.print(join(style("error:", "bold red"), f" {failed} could not be read: {names}"), soft_wrap=True)


def _note_pictures(counts: Mapping[Path | str, int]) -> None:
    """Say which picture was judged, of the files that hold several."""
    which = "the first was judged (of a HEIC the primary)"
    if len(counts) > _NAMED:
        note(f"{len(counts)} files hold several pictures; {which}")
        return
    for photo, count in counts.items():
        note(f"{show_place(photo)} holds {count} pictures; {which}")


def _show_unreadable(photo: Path | str, error: PhotoError) -> None:
    got = "" if error.got is None else f" ({error.got})"
    head = style(show_place(photo), "bold"), "  ", style("not judged", "bold red")
    out.print(join(*head, f" – {error.what}{got}"), soft_wrap=True, highlight=False)
    if error.remedy is not None:
        out.print(f"  → {error.remedy}", highlight=False, soft_wrap=True)


def _show_verdict(row: Verdict) -> None:
    color, advice = _ADVICE.get(row.label, ("green", "good enough"))
    head = style(show_place(row.photo), "bold"), "  ", style(row.title, f"bold {color}")
    out.print(join(*head, f" – {advice}"), soft_wrap=True, highlight=False)
    out.print(style(f"  {_describe_probabilities(row)}", "dim"), highlight=False)
    for hint in row.hints:
        out.print(f"  → {hint}", highlight=False, soft_wrap=True)
    reasons = "  ".join(f"{r.name.replace('_', ' ')} {r.probability:.0%}" for r in row.reasons)
    kind = "" if row.needed is None or not reasons else "bad: "  # a binary decision's reasons are regions
    out.print(style(f"  {kind}{reasons}", "dim"), highlight=False)


def _describe_probabilities(row: Verdict) -> str:
    """Return all labels' probabilities, or of a binary decision what good's is the probability of."""
    if row.meaning:
        return f"good {row.probabilities[GOOD]:.1%}: {row.meaning}"
    return "  ".join(f"{name.replace('_', ' ')} {p:.0%}" for name, p in row.probabilities.items())

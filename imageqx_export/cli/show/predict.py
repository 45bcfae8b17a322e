"""Print what a model says of photos, a row at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.cli.show.console import err, join, note, out, print_line, style
from imageqx_export.data.photos import describe_left_out
from imageqx_export.decisions import GOOD
from imageqx_export.errors import PhotoError
from imageqx_export.predict.addresses import show_place
from imageqx_export.predict.records import MOST_NAMED, FirstNames, make_record
from imageqx_export.support.progress import bar

if TYPE_CHECKING:
    from imageqx_export.predict.archive.stage import Summary
    from imageqx_export.predict.batch import Assessment
    from imageqx_export.predict.verdict import Verdict

_ADVICE = {
    "poor_quality": ("red", "take it again"),
    "no_skin": ("yellow", "no skin in the picture"),
}
_BAR_AFTER = 2.0  # seconds; before, the rows themselves are quick enough


def open_bar(description: str, total: int) -> AbstractContextManager[Callable[[], None]]:
    """Open a bar that shows from two seconds on, on the terminal that the rows go to if they go to one."""
    shared = out.is_terminal and err.is_terminal
    return bar(description, total, console=out if shared else err, after=_BAR_AFTER)


def show_row(row: Assessment, *, as_json: bool) -> None:
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
        assessed: Photos with a verdict.
        unreadable: Those without.
        several: Those whose file holds several pictures, and how many.
    """

    assessed: int = 0
    unreadable: FirstNames = field(default_factory=FirstNames)
    several: dict[Path | str, int] = field(default_factory=dict)

    def add(self, row: Assessment) -> None:
        """Count one row."""
        if isinstance(row.result, PhotoError):
            self.unreadable.add([show_place(row.photo)])
            return
        self.assessed += 1
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
    _tell_unreadable(tally.unreadable, tally.unreadable.count + tally.assessed)


def show_summary(summary: Summary, left_out: Mapping[str, int], *, as_json: bool) -> None:
    """Print what a table holds, what was passed over, and what could not be read."""
    if as_json:
        fields = {**asdict(summary), "unreadable": summary.unreadable.count}
        print_line(json.dumps({**fields, "left_out": dict(left_out)}))
    else:
        photos = f"{summary.photos:,} photo" + ("" if summary.photos == 1 else "s")
        kept = f", {summary.kept:,} of them kept by an earlier run" if summary.kept else ""
        out.print(f"{show_place(summary.out)}: {photos}{kept}; {summary.retake:,} to take again", soft_wrap=True)
    if left_out:
        note(describe_left_out(left_out).strip(" ()"))
    _tell_unreadable(summary.unreadable, summary.photos)


def _tell_unreadable(unreadable: FirstNames, all_of_them: int) -> None:
    if unreadable.count:
        failed = f"{unreadable.count} of {all_of_them} photos" if all_of_them > 1 else "the photo"
        text = f" {failed} could not be read: {unreadable.join()}"
        err.print(join(style("error:", "bold red"), text), soft_wrap=True)


def _note_pictures(counts: Mapping[Path | str, int]) -> None:
    """Say which picture was assessed, of the files that hold several."""
    which = "the first was assessed (of a HEIC the primary)"
    if len(counts) > MOST_NAMED:
        note(f"{len(counts)} files hold several pictures; {which}")
        return
    for photo, count in counts.items():
        note(f"{show_place(photo)} holds {count} pictures; {which}")


def _show_unreadable(photo: Path | str, error: PhotoError) -> None:
    got = "" if error.got is None else f" ({error.got})"
    head = style(show_place(photo), "bold"), "  ", style("not assessed", "bold red")
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

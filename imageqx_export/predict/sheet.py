"""A contact sheet: a page with every photo, its verdict and where the model looks, for who looks through many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageqx_export.artifact import ModelSpec
from imageqx_export.errors import PhotoError
from imageqx_export.evaluation.heatmap import blend
from imageqx_export.predict.batch import Assessment
from imageqx_export.predict.overlay import caption_map
from imageqx_export.predict.verdict import Verdict, list_reasons
from imageqx_export.preprocess import open_photo
from imageqx_export.support.escapes import show_controls
from imageqx_export.support.folders import Layout, Staging, stage_folder

SIDE: Final = 480
"""The longer side of a photo on the page, in pixels."""

LAYOUT: Final = Layout("a contact sheet", (r"index\.html", r"photos/\d+(-where)?\.jpg"))
_QUALITY: Final = 85


@dataclass(frozen=True)
class _Card:
    name: str
    kind: str  # "good", "poor" or "unread"
    title: str
    lines: tuple[str, ...] = ()
    photo: str = ""
    where: str = ""
    caption: str = ""
    reasons: tuple[tuple[str, str, bool], ...] = ()


@dataclass
class Sheet:
    """A page that is being written, a photo at a time; what it holds of each is small.

    Args:
        spec: Names the attention maps.
        staging: The folder, beside its final place.
    """

    spec: ModelSpec
    staging: Staging
    _cards: list[_Card] = field(default_factory=list)

    def add(self, row: Assessment) -> None:
        """Add what became of one photo."""
        if isinstance(row.result, PhotoError):
            remarks = tuple(text for text in (row.result.got, row.result.remedy) if text)
            self._cards.append(_Card(str(row.photo), "unread", row.result.what, remarks))
            return
        self._cards.append(self._make_card(row.result, row.attention))

    def publish(self) -> Path:
        """Write the page, put the folder in its place, and return the page's path."""
        (self.staging.path / "index.html").write_text(_render(self._cards), encoding="utf-8")
        return self.staging.publish() / "index.html"

    def _make_card(self, verdict: Verdict, attention: NDArray[np.float32] | None) -> _Card:
        number = f"{len(self._cards) + 1:05}"
        photo = open_photo(Path(verdict.photo), max_side=SIDE)
        worst = verdict.reasons[0] if verdict.reasons else None
        where = caption = ""
        if worst is not None and attention is not None and attention.size:
            heat = attention[list_reasons(self.spec).index(worst.name)] / max(float(attention.max()), 1e-9)
            where = self._save(blend(photo, heat), f"{number}-where")
            caption = f"{caption_map(self.spec, given=worst.given)}: {worst.name.replace('_', ' ')}"
        reasons = tuple((r.name.replace("_", " "), f"{r.probability:.0%}", r.given) for r in verdict.reasons)
        kind = "poor" if verdict.retake else "good"
        shown = self._save(photo, number)
        return _Card(str(verdict.photo), kind, verdict.title, verdict.hints, shown, where, caption, reasons)

    def _save(self, picture: Image.Image, name: str) -> str:
        path = self.staging.path / "photos" / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        picture.save(path, quality=_QUALITY)
        return f"photos/{path.name}"


@contextmanager
def open_sheet(folder: Path, spec: ModelSpec) -> Iterator[Sheet]:
    """Give a sheet to fill and publish; unless the block publishes it, nothing is there.

    Args:
        folder: Of the page; an earlier contact sheet there is replaced.
        spec: The model's.

    Raises:
        ImageQXError: The folder holds something else.
    """
    with stage_folder(folder, LAYOUT) as staging:
        yield Sheet(spec, staging)


def _render(cards: list[_Card]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("imageqx_export.predict", "."),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_show_controls,
    )
    counts = {kind: sum(card.kind == kind for card in cards) for kind in ("good", "poor", "unread")}
    return environment.get_template("sheet.html.j2").render(cards=cards, counts=counts)


def _show_controls(value: Any) -> Any:
    return show_controls(value) if isinstance(value, str) else value

"""Put the model beside the raters: how well they agree, and which of its scores are at their level."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.data.labels import Split
from imageqx_export.evaluation.scores import Scores

if TYPE_CHECKING:
    from imageqx_export.evaluation.agreement import Agreement, PairF1


@dataclass(frozen=True)
class RatersRow:
    """The raters' agreement on one class or reason.

    Args:
        name: The class or reason.
        mean: Mean F1 over the pairs of raters; None where no pair used it.
        sd: Its standard deviation over the pairs; None for fewer than two.
        pairs: How many pairs.
        expert: Whether the model's F1 is at the raters' level; None where either is not known.
    """

    name: str
    mean: float | None
    sd: float | None
    pairs: int
    expert: bool | None

    @property
    def text(self) -> str:
        """The mean and its standard deviation, as the paper prints them."""
        if self.mean is None:
            return "–"
        return f"{self.mean:.2f}" if self.sd is None else f"{self.mean:.2f} ± {self.sd:.2f}"


@dataclass(frozen=True)
class Raters:
    """The raters' agreement.

    Args:
        quality: Per class.
        explanations: Per reason.
        quality_mean: Mean of the classes' means and of their standard deviations.
        explanations_mean: Likewise, of the reasons.
    """

    quality: tuple[RatersRow, ...]
    explanations: tuple[RatersRow, ...]
    quality_mean: RatersRow
    explanations_mean: RatersRow


def compare_with_raters(agreement: Agreement, scores: Scores) -> Raters:
    """Put the model's F1 beside the raters'.

    Args:
        agreement: The raters', on the photos that the model was measured on.
        scores: The model's, on all of them.
    """
    from imageqx_export.evaluation.agreement import find_expert_level

    rows = (*scores.quality.rows, *scores.explanations.rows)
    expert = find_expert_level(agreement, {row.name: row.f1.value for row in rows if row.f1.value is not None})

    def row(name: str, f1: PairF1) -> RatersRow:
        return RatersRow(name, f1.mean, f1.sd, f1.pairs, expert.get(name))

    return Raters(
        quality=tuple(row(name, f1) for name, f1 in agreement.labels.items()),
        explanations=tuple(row(name, f1) for name, f1 in agreement.reasons.items()),
        quality_mean=row("mean", agreement.labels_mean),
        explanations_mean=row("mean", agreement.reasons_mean),
    )


def measure_split_agreement(annotations: Path, split: Split) -> Agreement | None:
    """Return how well the raters of one split's photos agree.

    Args:
        annotations: An annotation table, or a table of fused labels, which names no raters.
        split: Whose photos.

    Returns:
        None where the table names no raters, or where no two of them have rated the same photo.

    Raises:
        DatasetError: A row is bad.
    """
    from imageqx_export.data.annotated import clean_ratings, read_labels
    from imageqx_export.data.tables import read_columns
    from imageqx_export.evaluation.agreement import measure_agreement

    if "rater" not in read_columns(annotations):
        return None
    inside = {label.image for label in read_labels(annotations) if label.split == split}
    ratings = [rating for rating in clean_ratings(annotations) if rating.image in inside]
    several = Counter(rating.image for rating in ratings)  # no rater rates a photo twice in a clean table
    return measure_agreement(ratings) if any(count >= 2 for count in several.values()) else None

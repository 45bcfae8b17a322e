"""The forms of what `imageqx evaluate` writes and of a row of raters, which the program keeps as plain values.

A measure ``x`` has its 95 % interval beside it as ``x_ci``; both are null where nothing could be measured.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from imageqx_export.data.labels import Split

Interval = tuple[float, float] | None
Share = Annotated[float, Field(ge=0, le=1)]


_RATES = ("recall", "specificity", "precision", "f1")


class Form(BaseModel):
    """A form that takes no other keys."""

    model_config = ConfigDict(extra="forbid")


def _measure(name: str, base: type[Form], *measures: str) -> Any:
    fields: dict[str, Any] = {}
    for measure in measures:
        fields |= {measure: (float | None, ...), f"{measure}_ci": (Interval, ...)}
    return create_model(name, __base__=base, __doc__=base.__doc__, **fields)


class Bin(_measure("BinAccuracy", Form, "accuracy")):  # type: ignore[misc]
    """Photos whose confidence lies between two limits."""

    low: Share
    high: Share
    photos: int
    confidence: float | None


class Reliability(_measure("CalibrationError", Form, "ece")):  # type: ignore[misc]
    """How well probabilities match frequencies; ``ece_chance`` is what so few photos give of a perfect model."""

    ece_chance: float | None
    bins: tuple[Bin, ...]


class Row(_measure("RowMeasures", Form, *_RATES)):  # type: ignore[misc]
    """One label: photos that have it, what was found and what was not."""

    photos: int
    tp: int
    fp: int
    fn: int
    tn: int


class RankedRow(_measure("Ranking", Row, "auc", "average_precision")):  # type: ignore[misc]
    """One label that has a threshold: poor quality."""


class ReasonRow(RankedRow, Reliability):
    """One reason."""


class Roc(Form):
    """At most 201 points."""

    fpr: tuple[Share, ...]
    recall: tuple[Share, ...]


class PrecisionRecall(Form):
    """At most 201 points."""

    recall: tuple[Share, ...]
    precision: tuple[Share, ...]


class Curves(Form):
    """Of a reason, or of poor quality."""

    roc: Roc
    precision_recall: PrecisionRecall


_MEANS = [f"{group}_macro_{rate}" for group in ("quality", "explanations") for rate in _RATES]


class Scores(_measure("Means", Form, *_MEANS)):  # type: ignore[misc]
    """What was measured on some photos; rows of ``confusion`` are the truth, columns what was decided."""

    photos: int
    quality: dict[str, RankedRow | Row]
    explanations: dict[str, ReasonRow]
    confusion: tuple[tuple[int, ...], ...]
    reliability: Reliability


class Raters(Form):
    """How well two raters agree on a label or reason, over their pairs, and whether the model is within one SD."""

    f1: float | None
    f1_sd: float | None
    pairs: int
    expert_level: bool | None


class Thresholds(Form):
    """What was decided with; without one for poor quality, the likeliest label was taken."""

    poor_quality: float | None
    reasons: dict[str, float]


class EvaluationFile(Scores):
    """A model of labels and reasons, on labelled photos."""

    schema_version: Literal[1]
    model: str
    source: str
    labels: tuple[str, ...]
    reasons: tuple[str, ...]
    thresholds: Thresholds
    curves: dict[str, Curves]
    skin: dict[str, Scores]
    skin_unknown: int
    raters: dict[Literal["quality", "explanations"], dict[str, Raters]] | None
    baseline: dict[str, Any] | None = None


class Cell(_measure("CellMeasures", Form, "poor", "label_kept", "first_hint_right")):  # type: ignore[misc]
    """Photos that were degraded alike: the shares that are called poor, keep their label, get the right first hint."""

    photos: int


class Strengths(Form):
    """Mild versions leave a photo good, strong ones do not."""

    mild: Cell
    strong: Cell


class KindRow(Strengths):
    """One kind of degradation; ``reason`` is null where it is harmless."""

    name: str
    words: str
    reason: str | None


class RobustnessFile(Form):
    """What a model says of good photos, and of each kind of degradation alone."""

    schema_version: Literal[1]
    model: str
    source: str
    photos: int
    severities: dict[Literal["mild", "strong"], tuple[float, float]]
    thresholds: Thresholds | dict[Literal["good"], float]
    clean: dict[str, Cell]
    kinds: tuple[KindRow, ...]
    reasons: dict[str, Strengths]


class OpinionsFile(_measure("OpinionMeasures", Form, "auc", "spearman")):  # type: ignore[misc]
    """P(poor) beside people's scores of the same photos."""

    schema_version: Literal[1]
    model: str
    table: str
    photos: int
    poor_below: float
    poor: int


class RaterRow(Form):
    """What one rater said of one photo: a row of the table, every cell a text."""

    image: str = Field(description="The file, relative to the folder of photos.")
    rater: str
    evaluation: str = Field(description="An ICD-10 code, no_skin, healthy_skin or poor_quality.")
    reasons: str = Field(default="", description="Separated by ';', with poor_quality alone.")
    patient: str = ""
    split: Split | Literal[""] = ""
    fitzpatrick: Literal["", "1", "2", "3", "4", "5", "6"] = ""


class Counts(Form):
    """Decisions of good, beside what raters say."""

    tp: int
    fp: int
    fn: int
    tn: int


_DIAGNOSTIC = ("auc", "ppv", "tpr", "npv", "tnr", "calibration_slope", "calibration_intercept")


class BinaryScores(_measure("Diagnostics", Form, *_DIAGNOSTIC)):  # type: ignore[misc]
    """What was measured on some photos; rows of ``votes`` are raters' votes, columns those that were expected."""

    photos: int
    good: int
    confusion: Counts
    reliability: Reliability
    votes: tuple[tuple[int, ...], ...]
    votes_error: float | None


class Spread(Form):
    """A number over draws."""

    mean: float | None
    sd: float | None


class Adjusted(Form):
    """What the model shows of another share of good photos."""

    prevalence: Share
    draws: int
    auc: Spread
    ppv: Spread
    tpr: Spread
    npv: Spread
    tnr: Spread


class Compared(_measure("AUCs", Form, "first_auc", "second_auc", "difference")):  # type: ignore[misc]
    """DeLong's paired test of two AUCs; of crops, how many photos have a box."""

    z: float | None
    p: float | None
    photos: int | None = None


class BinaryEvaluationFile(BinaryScores):
    """A model that says good or poor, on photos that raters voted on."""

    schema_version: Literal[1]
    kind: Literal["binary"]
    model: str
    source: str
    threshold: float
    good_when_at_least: int | None
    raters: int | None
    curves: dict[Literal["good"], Curves]
    skin: dict[str, BinaryScores]
    skin_unknown: int
    adjusted: Adjusted | None
    baseline: dict[str, Any] | None = None
    against_baseline: Compared | None = None
    cropped: Compared | None = None

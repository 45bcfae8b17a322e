"""The ModelSpec: what a photo becomes and what an output means, with all that it is made of, and its changes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from imageqx_export.support.frozen import Frozen


class TensorSpec(Frozen):
    """One input or output of a graph.

    Args:
        name: The name that the graph uses.
        shape: Sizes, the batch first: 1 but where an export was asked for another; −1 is any number.
        dtype: ``"uint8"`` or ``"float32"``.
        meaning: What the numbers are, in a sentence.
        range: Of an input of float32 the least and the largest number, such as ``(0.0, 1.0)``; None, and not written,
            for bytes and for outputs.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Literal["uint8", "float32"]
    meaning: str = ""
    range: tuple[float, float] | None = None

    @model_serializer(mode="wrap")
    def _leave_out(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Write no range where there is none, so that older readers know every key."""
        fields: dict[str, object] = serialize(self)
        return {name: value for name, value in fields.items() if name != "range" or value is not None}


class Preprocessing(Frozen):
    """The way from a photo's bytes to the graph's input.

    The steps, in order: convert to sRGB, alpha over white; turn upright as EXIF says; keep the whole frame and stretch
    it to ``height`` × ``width`` with an antialiased triangle ("bilinear") filter in two passes, of which
    ``resize_order`` says the first. Either pass rounds to 8 bits, which is why their order shows: swapped, it moves
    15 to 20 % of a tall photo's bytes by one level. A pass whose side stays as it is, is left out. ``mean`` and ``std``
    are in the graph already: do not apply them on the phone. ``golden/photos/`` has examples.
    """

    height: int = Field(default=224, ge=1, le=4096)
    width: int = Field(default=224, ge=1, le=4096)
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    color_space: Literal["sRGB"] = "sRGB"
    resize: Literal["stretch"] = "stretch"
    resample: Literal["bilinear-antialias"] = "bilinear-antialias"
    resize_order: Literal["horizontal-first"] = "horizontal-first"
    orientation: Literal["apply-exif"] = "apply-exif"
    alpha: Literal["over-white"] = "over-white"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    normalisation: Literal["in-graph"] = "in-graph"


Probability = Annotated[float, Field(ge=0, le=1)]
Version = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+){0,3}$")]


class Ranks(Frozen):
    """An output that says how many raters would call the photo good.

    Args:
        output: Its name, [1,raters]: in column k the probability that more than k raters would; it never rises.
        raters: How many there were.
        good_when_at_least: How many of them make the photo good: what the decision's own output is the probability of.
    """

    output: str
    raters: int = Field(ge=1, le=64)
    good_when_at_least: int = Field(ge=1)


class Region(Frozen):
    """A part of the frame, in fractions of it from the top left corner, and what to say where it is bad.

    Args:
        name: Such as ``"top_left"``.
        left: Of its left edge, in [0, 1].
        top: Of its upper edge, likewise.
        width: Its share of the frame's width, in (0, 1].
        height: Its share of the frame's height, likewise.
        hint: What to tell the person who takes the photo.
    """

    name: str
    left: float = Field(ge=0, le=1)
    top: float = Field(ge=0, le=1)
    width: float = Field(gt=0, le=1)
    height: float = Field(gt=0, le=1)
    hint: str

    @model_validator(mode="after")
    def _inside(self) -> Region:
        if max(self.left + self.width, self.top + self.height) > 1 + 1e-9:
            raise ValueError(f"the region {self.name} leaves the frame")
        return self


class Regions(Frozen):
    """An output that says of each part of the frame whether it would be good on its own.

    Args:
        output: Its name, [1,regions]: per region the probability that it is good.
        threshold: The probability below which a region is bad, in [0, 1].
        parts: The regions, in the order of the output's columns.
    """

    output: str
    threshold: Probability
    parts: tuple[Region, ...] = Field(min_length=1)

    @field_validator("parts")
    @classmethod
    def _refuse_repetitions(cls, parts: tuple[Region, ...]) -> tuple[Region, ...]:
        names = [part.name for part in parts]
        if len(set(names)) != len(names):
            raise ValueError(f"parts name one twice, got {', '.join(names)[:200]}")
        return parts


class BinaryDecision(Frozen):
    """The second kind of answer: a photo is good or it is poor.

    Args:
        output: The output that it is read from, [1,1]: the probability that the photo is good.
        threshold: The probability from which it is good, in [0, 1].
        hint: What to tell the person where a photo is poor and no region stands out.
        ranks: How many raters would call it good, or None.
        regions: Which parts of the frame are good, or None.
    """

    output: str
    threshold: Probability
    hint: str
    ranks: Ranks | None = None
    regions: Regions | None = None

    @model_validator(mode="after")
    def _consistent(self) -> BinaryDecision:
        if self.ranks is not None and self.ranks.good_when_at_least > self.ranks.raters:
            raise ValueError(f"good_when_at_least is {self.ranks.good_when_at_least} of {self.ranks.raters} raters")
        names = [self.output, *(part.output for part in (self.ranks, self.regions) if part is not None)]
        if len(set(names)) != len(names):
            raise ValueError(f"two parts of the decision read one output, got {', '.join(names)[:200]}")
        return self

    def list_outputs(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each output that the decision is read from, by name, in this order."""
        shapes: dict[str, tuple[int, ...]] = {self.output: (1, 1)}
        if self.ranks is not None:
            shapes[self.ranks.output] = (1, self.ranks.raters)
        if self.regions is not None:
            shapes[self.regions.output] = (1, len(self.regions.parts))
        return shapes


SPEC_VERSION = 2
"""Of :class:`ModelSpec`. 1 had no ``schema_version``, ``binary`` and ``preprocessing.resize_order``; it is read."""


class ModelSpec(Frozen):
    """What a photo becomes and what an output means: the one place that says it.

    It is serialised into every artifact's own metadata and beside it as JSON. There are two kinds of answer, and a
    spec has one: labels with reasons, which the fields from ``labels`` to ``hints`` describe, or ``binary``.

    Args:
        schema_version: Of the spec; another than 1 and 2 is refused.
        name: The model's name, such as ``"imageqx"``.
        inputs: The graph's inputs.
        outputs: The graph's outputs, in the graph's order.
        preprocessing: How a photo becomes the input.
        labels: The names of ``quality``'s columns.
        reasons: The names of ``explanations``' columns.
        thresholds: Per reason, the probability from which it counts as given; in [0, 1].
        poor_quality_threshold: The probability of ``poor_quality`` from which a photo is poor, in [0, 1]; below it, the
            most probable of the other labels holds. None: the most probable of all labels holds.
        hints: Per reason, what to tell the person who takes the photo.
        binary: The other kind of answer; None where there are labels.
        min_runtime: Per runtime that was asked (``"onnxruntime"``, ``"litert"``, ``"tflite-runtime"``, which stands for
            TensorFlow Lite, ``"coremltools"``, ``"ios"``), the oldest version on which, and on all newer ones, this
            file gave the right numbers on a CPU as the runtime comes; None where no version did. A runtime that is not
            named was not asked. Each artifact has its own; a checkpoint has none.
    """

    schema_version: Literal[2] = 2
    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocessing: Preprocessing = Preprocessing()
    labels: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    thresholds: dict[str, float] = Field(default_factory=dict)
    poor_quality_threshold: float | None = Field(default=None, ge=0, le=1)
    hints: dict[str, str] = Field(default_factory=dict)
    binary: BinaryDecision | None = None
    min_runtime: dict[str, Version | None] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _read_older(cls, fields: object) -> object:
        if not isinstance(fields, dict):
            return fields
        version = fields.get("schema_version", SPEC_VERSION)
        if version not in (1, SPEC_VERSION) or isinstance(version, bool):
            raise ValueError(
                f"schema_version {str(version)[:80]} of the ModelSpec is not known, 1 and {SPEC_VERSION} are: "
                "get the version of imageqx-export that wrote it"
            )
        return {**fields, "schema_version": SPEC_VERSION}

    @model_validator(mode="after")
    def _consistent(self) -> ModelSpec:
        if bool(self.labels) == (self.binary is not None):
            kinds = "both" if self.labels else "neither"
            raise ValueError(f"a spec has either labels or a binary decision, got {kinds}")
        self._check_labels()
        if self.binary is not None:
            self._check_binary(self.binary)
        return self

    def _check_binary(self, binary: BinaryDecision) -> None:
        shapes = {output.name: output.shape for output in self.outputs}
        for name, shape in binary.list_outputs().items():
            if name not in shapes or shapes[name][1:] != shape[1:]:  # a file may take several photos
                got = f"an output {list(shapes[name])}" if name in shapes else "no output"
                raise ValueError(f"binary reads {name} of shape {list(shape)}, got {got} of that name")
        if self.reasons or self.poor_quality_threshold is not None:
            raise ValueError("reasons and poor_quality_threshold belong to labels, and the spec has a binary decision")

    def _check_labels(self) -> None:
        for field, names in (("thresholds", self.thresholds), ("hints", self.hints)):
            if set(names) != set(self.reasons):
                raise ValueError(f"{field} must name each of {self.reasons}, got {sorted(names)}")
        if not all(0.0 <= value <= 1.0 for value in self.thresholds.values()):
            raise ValueError(f"thresholds must lie in [0, 1], got {self.thresholds}")
        for field, words in (("labels", self.labels), ("reasons", self.reasons)):
            if len(set(words)) != len(words):
                raise ValueError(f"{field} names one twice, got {', '.join(words)[:200]}")


# Beyond these, float16 overflows or vanishes where the temperatures are folded into the weights.
Temperature = Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)]


class Temperatures(Frozen):
    """The temperatures that logits are divided by on the way out, so that probabilities are calibrated.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.

    Args:
        quality: Of the label's softmax, or of the binary decision's sigmoids; in [0.01, 100], 1 changes nothing.
        explanations: Per reason, of its sigmoid; likewise. Empty where there are no reasons.
    """

    quality: Temperature = 1.0
    explanations: dict[str, Temperature]


class Thresholds(Frozen):
    """A clinic's own thresholds, which stand in for the ModelSpec's without an export.

    Args:
        schema_version: 1, or 2, which alone has ``good`` and ``regions``.
        poor_quality: As :attr:`ModelSpec.poor_quality_threshold`; where it is not given, the ModelSpec's stays.
        reasons: Per reason, the probability from which it counts as given, in [0, 1]; those left out stay.
        good: As :attr:`BinaryDecision.threshold`; where it is None, the ModelSpec's stays.
        regions: As :attr:`Regions.threshold`; likewise.
        chosen: How they were chosen; read by people alone.
    """

    model_config = ConfigDict(strict=True)
    schema_version: Literal[1, 2]
    poor_quality: float | None = Field(default=None, ge=0, le=1)
    reasons: dict[str, Probability] = Field(default_factory=dict)
    good: Probability | None = None
    regions: Probability | None = None
    chosen: dict[str, object] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Thresholds:
        if self.schema_version == 1 and (self.good is not None or self.regions is not None):
            raise ValueError("good and regions are of schema_version 2, and the file says 1")
        return self

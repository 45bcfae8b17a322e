"""The nouns: frozen values that every stage takes and returns. Imports nothing of ours but support."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, field_validator, model_validator

from imageqx_export.support.frozen import Frozen

Pixels = NDArray[np.uint8]
"""Photos as the network takes them: uint8 [N,H,W,3], sRGB, of the ModelSpec's height and width."""
Outputs = dict[str, NDArray[np.float32]]
"""What a network or an artifact gives: per output's name float32 [N,…], the batch first."""


class Format(StrEnum):
    """A file format that a phone can run."""

    ONNX = "onnx"
    COREML = "coreml"
    TFLITE = "tflite"

    @property
    def suffix(self) -> str:
        """The file name's ending, dot included."""
        return {"onnx": ".onnx", "coreml": ".mlpackage", "tflite": ".tflite"}[self.value]


class Precision(StrEnum):
    """A numeric scheme, named by what it truly is; there is no bare "int8".

    ``w8``: weights int8, activations float. ``w8a8``: both int8, but for the heads.
    """

    FP32 = "fp32"
    FP16 = "fp16"
    W8 = "w8"
    W8A8 = "w8a8"


QUANTIZED = (Precision.W8, Precision.W8A8)
"""What is compared with the network quantized in PyTorch, not with the float32 one."""


class TensorSpec(Frozen):
    """One input or output of a graph.

    Args:
        name: The name that the graph uses.
        shape: Sizes; the batch is always 1 in an artifact.
        dtype: ``"uint8"`` or ``"float32"``.
        meaning: What the numbers are, in a sentence.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Literal["uint8", "float32"]
    meaning: str = ""


class Preprocessing(Frozen):
    """The way from a photo's bytes to the graph's input.

    The steps, in order: apply the EXIF orientation; convert to sRGB, alpha over white; keep the
    whole frame and stretch it to ``height`` × ``width`` with an antialiased triangle ("bilinear")
    filter. ``mean`` and ``std`` are in the graph already: do not apply them on the phone.
    """

    height: int = 224
    width: int = 224
    layout: Literal["NHWC"] = "NHWC"
    color_space: Literal["sRGB"] = "sRGB"
    resize: Literal["stretch"] = "stretch"
    resample: Literal["bilinear-antialias"] = "bilinear-antialias"
    orientation: Literal["apply-exif"] = "apply-exif"
    alpha: Literal["over-white"] = "over-white"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    normalisation: Literal["in-graph"] = "in-graph"


class ModelSpec(Frozen):
    """What a photo becomes and what an output means: the one place that says it.

    It is serialised into every artifact's own metadata and beside it as JSON.

    Args:
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
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocessing: Preprocessing = Preprocessing()
    labels: tuple[str, ...]
    reasons: tuple[str, ...]
    thresholds: dict[str, float]
    poor_quality_threshold: float | None = Field(default=None, ge=0, le=1)
    hints: dict[str, str]

    @model_validator(mode="after")
    def _consistent(self) -> ModelSpec:
        for field, names in (("thresholds", self.thresholds), ("hints", self.hints)):
            if set(names) != set(self.reasons):
                raise ValueError(f"{field} must name each of {self.reasons}, got {sorted(names)}")
        if not all(0.0 <= value <= 1.0 for value in self.thresholds.values()):
            raise ValueError(f"thresholds must lie in [0, 1], got {self.thresholds}")
        for field, words in (("labels", self.labels), ("reasons", self.reasons)):
            if len(set(words)) != len(words):
                raise ValueError(f"{field} names one twice, got {', '.join(words)[:200]}")
        return self


# Beyond these, float16 overflows or vanishes where the temperatures are folded into the weights.
Temperature = Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)]


class Temperatures(Frozen):
    """The temperatures that logits are divided by on the way out, so that probabilities are calibrated.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.

    Args:
        quality: Of ``quality``'s softmax; in [0.01, 100], 1 changes nothing.
        explanations: Per reason, of its sigmoid; likewise.
    """

    quality: Temperature = 1.0
    explanations: dict[str, Temperature]


class Thresholds(Frozen):
    """A clinic's own thresholds, which stand in for the ModelSpec's without an export.

    Args:
        poor_quality: As :attr:`ModelSpec.poor_quality_threshold`; where it is not given, the ModelSpec's stays.
        reasons: Per reason, the probability from which it counts as given, in [0, 1]; those left out stay.
        chosen: How they were chosen; read by people alone.
    """

    model_config = ConfigDict(strict=True)
    schema_version: Literal[1]
    poor_quality: float | None = Field(default=None, ge=0, le=1)
    reasons: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    chosen: dict[str, object] = Field(default_factory=dict)


class Checkpoint(Frozen):
    """A file of trained weights.

    Args:
        path: The safetensors file.
        sha256: The file's digest, hexadecimal.
        spec: What the network's inputs and outputs mean.
        metrics: Numbers measured at training time, by name; empty if the file carries none.
        provenance: Where the weights come from: seeds, data, versions; empty if unknown.
        temperatures: Of the outputs, or None where none were fitted; the weights are the trained ones either way.
    """

    path: Path
    sha256: str
    spec: ModelSpec
    metrics: dict[str, object] = Field(default_factory=dict)
    provenance: dict[str, object] = Field(default_factory=dict)
    temperatures: Temperatures | None = None


class Proof(Frozen):
    """What was shown of one artifact on one accelerator; an app chooses its delegate by these.

    None is of a real chip: they are compilers' and simulators' word, which an app's self-test confirms on the phone.

    Args:
        target: ``"qualcomm"``, ``"gpu"`` or ``"ethos-u"``.
        chips: On which of the target's chips all of this holds.
        verdict: ``"right"``, ``"wrong"``, ``"refused"`` or ``"estimated"``: see compat/model.py.
        whole: Whether every operation is on the accelerator.
        labels: How many of ``images`` get PyTorch's label; None where nothing was computed.
        images: How many pictures were asked about.
        max_abs: Largest |Δ| of any output; None where nothing was computed.
        tool: What said so, with its version.
        silicon: Whether a real chip computed it.
    """

    target: str
    chips: tuple[str, ...]
    verdict: Literal["right", "wrong", "refused", "estimated"]
    whole: bool
    labels: int | None
    images: int
    max_abs: float | None
    tool: str
    silicon: bool = False


class Artifact(Frozen):
    """One exported file, and what it is.

    Args:
        path: Relative to its manifest's folder; a folder for Core ML.
        format: The file format.
        precision: The true numeric scheme.
        spec: What its inputs and outputs mean.
        sha256: Digest of the file (of a folder: see :func:`~imageqx_export.support.files.digest`), hexadecimal.
        size_bytes: Bytes of the file, or of all files of the folder.
        checkpoint_sha256: Digest of the checkpoint it was made from.
        tool_versions: Version of each library that had a part in it, by name.
        proofs: What was shown of it on accelerators, for this very digest; empty where nothing was.
    """

    path: Path
    format: Format
    precision: Precision
    spec: ModelSpec
    sha256: str
    size_bytes: int = Field(ge=0)
    checkpoint_sha256: str
    tool_versions: dict[str, str]
    proofs: tuple[Proof, ...] = ()

    @field_validator("path", mode="after")
    @classmethod
    def _inside(cls, path: Path) -> Path:
        """Refuse a path that leaves the manifest's folder, in any system's words."""
        text = str(path)
        if not path.parts or path.is_absolute() or {"..", "\0"} & {*path.parts, *text} or "\\" in text or ":" in text:
            raise ValueError(f"a path inside the manifest's folder, got {text[:80]!r}")
        return path


FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=128)]
"""A file's name alone, as an export gives it: no folder, and nothing that leaves one."""


class Manifest(Frozen):
    """The list of what one export wrote.

    Args:
        model: The model's name.
        checkpoint_sha256: Digest of the checkpoint.
        artifacts: One entry per file that was written.
        unavailable: Per format that could not be written here, the reason.
        golden: Digest of each file under ``golden/``, by relative path.
        recipes: Digest of each file under ``quantization/``, by relative path: how a quantized precision was made.
    """

    schema_version: Literal[1] = 1
    model: str
    checkpoint_sha256: str
    artifacts: tuple[Artifact, ...]
    unavailable: dict[str, str] = Field(default_factory=dict)
    golden: dict[FileName, str] = Field(default_factory=dict)
    recipes: dict[FileName, str] = Field(default_factory=dict)

    @field_validator("artifacts")
    @classmethod
    def _refuse_repetitions(cls, artifacts: tuple[Artifact, ...]) -> tuple[Artifact, ...]:
        for what, keys in (
            ("files", [str(artifact.path) for artifact in artifacts]),
            ("formats and precisions", [f"{artifact.format} {artifact.precision}" for artifact in artifacts]),
        ):
            if repeated := sorted({key for key in keys if keys.count(key) > 1}):
                raise ValueError(f"{what} named more than once: {', '.join(repeated)}")
        return artifacts

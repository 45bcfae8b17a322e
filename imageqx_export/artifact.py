"""The nouns: frozen values that every stage takes and returns. Imports nothing of ours but support."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from imageqx_export.model_spec import BinaryDecision as BinaryDecision
from imageqx_export.model_spec import ModelSpec as ModelSpec
from imageqx_export.model_spec import Preprocessing as Preprocessing
from imageqx_export.model_spec import Ranks as Ranks
from imageqx_export.model_spec import Region as Region
from imageqx_export.model_spec import Regions as Regions
from imageqx_export.model_spec import Temperatures as Temperatures
from imageqx_export.model_spec import TensorSpec as TensorSpec
from imageqx_export.model_spec import Thresholds as Thresholds
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
    def _refuse_leaving(cls, path: Path) -> Path:
        """Refuse a path that leaves the manifest's folder, in any system's words."""
        text = str(path)
        if not path.parts or path.is_absolute() or {"..", "\0"} & {*path.parts, *text} or "\\" in text or ":" in text:
            raise ValueError(f"a path inside the manifest's folder, got {text[:80]!r}")
        return path


def _name_kind(artifact: Artifact) -> str:
    taken = "; ".join(f"{one.dtype} {list(one.shape)}" for one in artifact.spec.inputs)
    return f"{artifact.format} {artifact.precision} of {taken}"


FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=128)]
"""A file's name alone, as an export gives it: no folder, and nothing that leaves one."""


class Manifest(Frozen):
    """The list of what one export wrote.

    Args:
        model: The model's name.
        checkpoint_sha256: Digest of the checkpoint.
        artifacts: One entry per file that was written.
        unavailable: Per format that could not be written here, the reason.
        golden: Digest of each file in ``golden/``, by name.
        photos: Digest of each file in ``golden/photos/``, by name.
        recipes: Digest of each file under ``quantization/``, by relative path: how a quantized precision was made.
    """

    schema_version: Literal[1] = 1
    model: str
    checkpoint_sha256: str
    artifacts: tuple[Artifact, ...]
    unavailable: dict[str, str] = Field(default_factory=dict)
    golden: dict[FileName, str] = Field(default_factory=dict)
    photos: dict[FileName, str] = Field(default_factory=dict)
    recipes: dict[FileName, str] = Field(default_factory=dict)

    @field_validator("artifacts")
    @classmethod
    def _refuse_repetitions(cls, artifacts: tuple[Artifact, ...]) -> tuple[Artifact, ...]:
        for what, keys in (
            ("files", [str(artifact.path) for artifact in artifacts]),
            ("formats, precisions and inputs", [_name_kind(artifact) for artifact in artifacts]),
        ):
            if repeated := sorted({key for key in keys if keys.count(key) > 1}):
                raise ValueError(f"{what} named more than once: {', '.join(repeated)}")
        return artifacts

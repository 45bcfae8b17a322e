"""What a release is: the values that a publisher writes and an app's tools read."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator

from imageqx_export.artifact import Format, Precision
from imageqx_export.errors import ReleaseError
from imageqx_export.release.names import CHANNELS, refuse_leaving, sort_key
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import describe, parse_model


class Read(Frozen):
    """A value that newer publishers may say more in than is known here."""

    model_config = ConfigDict(extra="ignore")


class ReleasedArtifact(Read):
    """One model file of a release.

    Args:
        path: Relative to the release's folder; a folder for Core ML.
        format: The file format.
        precision: The true numeric scheme.
        sha256: Of the file, or of the folder as :func:`~imageqx_export.support.files.digest` has it.
        size_bytes: Bytes of the file, or of all files of the folder.
        files: The files of a folder, relative to the release's folder; empty for a file.
        minimum: Per runtime or system the oldest that takes the file, such as ``{"ios": "17"}``; empty if unknown.
        max_abs: Largest |Δ| of any output from PyTorch's; None where there is no parity report.
        milliseconds: Median of an inference, by target; empty where nothing was measured.
    """

    path: str
    format: Format
    precision: Precision
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)
    files: tuple[str, ...] = ()
    minimum: dict[str, str] = Field(default_factory=dict)
    max_abs: float | None = None
    milliseconds: dict[str, float] = Field(default_factory=dict)

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        return refuse_leaving(path)

    @field_validator("files")
    @classmethod
    def _all_inside(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(refuse_leaving(name) for name in files)

    @property
    def name(self) -> str:
        """Format and precision, as ``tflite-w8a8``: what Maven's and Swift's names end in."""
        return f"{self.format}-{self.precision}"

    def list_files(self) -> tuple[str, ...]:
        """Return the files that it is made of, relative to the release's folder."""
        return self.files or (self.path,)


class Release(Read):
    """``release.json``: what an app's tools ask of a release before they pull anything.

    Args:
        model: The model's name.
        version: Such as ``"1.2.0"``.
        checkpoint_sha256: Of the weights that it was made from.
        spec: The ModelSpec, as JSON; a newer one than is known here can still be pulled and compared.
        scores: What the model is worth, by name; empty where the checkpoint says nothing.
        artifacts: The model files.
        golden: The golden pictures and what PyTorch gives for them, relative to the release's folder.
    """

    schema_version: Literal[1] = 1
    model: str
    version: str
    checkpoint_sha256: str
    spec: dict[str, Any]
    scores: dict[str, float] = Field(default_factory=dict)
    artifacts: tuple[ReleasedArtifact, ...]
    golden: tuple[str, ...] = ()

    @field_validator("version")
    @classmethod
    def _known(cls, version: str) -> str:
        sort_key(version)
        return version

    @field_validator("golden")
    @classmethod
    def _all_inside(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(refuse_leaving(name) for name in files)


def parse_release(content: bytes, where: str) -> Release:
    """Return what a ``release.json`` says.

    Args:
        content: Its bytes.
        where: Its name, for people.

    Raises:
        ReleaseError: It is not valid.
    """
    try:
        return parse_model(Release, content)
    except ValueError as error:
        raise ReleaseError("the release's description is not valid", where=where, got=describe(error)) from error


class Listed(Frozen):
    """A release in a tree's signed list.

    Args:
        model: The model's name.
        version: Such as ``"1.2.0"``.
        channel: ``"stable"`` or ``"beta"``.
    """

    model: str
    version: str
    channel: str

    @field_validator("channel")
    @classmethod
    def _known(cls, channel: str) -> str:
        if channel not in CHANNELS:
            raise ValueError(f"the channel is one of {', '.join(CHANNELS)}, got {channel[:40]!r}")
        return channel

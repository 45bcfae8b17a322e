"""The error tree.

::

    ImageQXError                 everything this package raises on purpose
    ├── PhotoError               a file that is not a usable photo
    │   └── FetchError           a photo at an address that cannot be had now, and perhaps later
    ├── CheckpointError          a checkpoint that cannot be trusted or does not fit its network
    ├── DatasetError             a folder or a table of photos that cannot be trained or measured on
    ├── TrainingError            a training run that cannot go on (its last good state is kept)
    ├── StoppedError             a run that was stopped with Ctrl-C (what it had finished is kept)
    ├── UnknownNameError         a model, format, precision or file kind nobody has heard of
    ├── UnavailableError         a known thing whose library or platform is missing here
    ├── ConversionError          a converter that failed, or wrote something else than was asked
    ├── ArtifactError            an exported file that cannot be read or run
    │   └── UnsupportedOpError   a Core ML program with an operation that the evaluator does not know
    ├── ParityError              a comparison that could not be made
    ├── ReleaseError             a release that cannot be published, trusted or pulled
    ├── MeasurementError         a benchmark, a history or a report that cannot be made
    └── DeviceError              a phone or an emulator that cannot be used
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

LONGEST_LINE = 1500
"""Characters of a line of an error that people still read; names in a stranger's file may have any number."""


class ImageQXError(Exception):
    """An error that says what went wrong, where, what was expected, what was there, and what to do next.

    Args:
        what: One clause, lower case, without a full stop.
        where: The file or tensor concerned.
        expected: What would have been right.
        got: What was found instead.
        remedy: The next command or step.

    >>> print(ImageQXError("wrong shape", where="a.bin: conv.weight", expected="[3]", got="[4]"))
    wrong shape
      where:    a.bin: conv.weight
      expected: [3]
      got:      [4]
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | Path | None = None,
        expected: str | None = None,
        got: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.expected = expected
        self.got = got
        self.remedy = remedy
        rows = [("where", self.where), ("expected", expected), ("got", got), ("try", remedy)]
        lines = [f"  {name + ':':<9} {shorten(value)}" for name, value in rows if value is not None]
        super().__init__("\n".join([what, *lines]))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)  # not through __init__, whose arguments differ


def shorten(text: str, most: int = LONGEST_LINE) -> str:
    """Return a text of at most ``most`` characters: of a longer one the beginning and the end.

    >>> shorten("a name of many letters", 12)
    'a nam … ters'
    """
    half = most // 2 - 1
    return text if len(text) <= most else f"{text[:half]} … {text[len(text) - (most - half - 3) :]}"


def _restore(kind: type[ImageQXError], args: tuple[Any, ...], fields: dict[str, Any]) -> ImageQXError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class PhotoError(ImageQXError):
    """A file that is not a usable photo."""


class FetchError(PhotoError):
    """A photo at an address that cannot be had now, and perhaps later."""


class CheckpointError(ImageQXError):
    """A checkpoint that cannot be trusted or does not fit its network."""


class DatasetError(ImageQXError):
    """A set of photos that cannot be trained or measured on."""


class TrainingError(ImageQXError):
    """A training run that cannot go on; the last good state is kept."""


class StoppedError(ImageQXError):
    """A run that was stopped with Ctrl-C; what it had finished is kept."""


class UnknownNameError(ImageQXError):
    """A name that is not in a list of known names.

    Args:
        kind: What the name should name, in the singular, such as ``"format"``.
        name: The name that is not known.
        known: The names that are.

    >>> print(UnknownNameError("format", "tensorrt", ["onnx", "tflite"]))
    unknown format 'tensorrt'
      expected: one of onnx, tflite
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} '{name}'", expected="one of " + ", ".join(known))


class UnavailableError(ImageQXError):
    """A known thing whose library or platform is missing on this machine."""


class ConversionError(ImageQXError):
    """A converter that failed or wrote something else than was asked."""


class ArtifactError(ImageQXError):
    """An exported file that cannot be read or run."""


class UnsupportedOpError(ArtifactError):
    """A Core ML program with an operation that the evaluator does not know."""


class ParityError(ImageQXError):
    """A comparison that could not be made."""


class ReleaseError(ImageQXError):
    """A release that cannot be published, trusted or pulled; nothing of it is written where it was wanted."""


class MeasurementError(ImageQXError):
    """A benchmark, a history or a report that cannot be made."""


class DeviceError(ImageQXError):
    """A phone or an emulator that cannot be used."""

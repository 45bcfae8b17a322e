"""The seam to other people's libraries: what they raise becomes the project's own error there, and goes no further."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from imageqx_export.errors import ImageQXError
from imageqx_export.support.libraries import explain_missing


@contextmanager
def translate_errors(make: Callable[[Exception], ImageQXError]) -> Iterator[None]:
    """Turn whatever a library raises in the block into an error of ours; our own, and a full disk, pass as they are.

    A parser of damaged bytes raises what they provoke: a list of its exceptions is never whole.

    Args:
        make: Makes the error, with file and place, of what was raised.

    >>> from imageqx_export.errors import ArtifactError
    >>> with translate_errors(lambda error: ArtifactError("not readable", where="a.onnx", got=str(error))):
    ...     [][1]
    Traceback (most recent call last):
    imageqx_export.errors.ArtifactError: not readable
      where:    a.onnx
      got:      list index out of range
    """
    try:
        yield
    except ImageQXError:
        raise
    except ModuleNotFoundError as error:  # says nothing about the file
        raise explain_missing(error) or make(error) from error
    except Exception as error:
        raise make(error) from error

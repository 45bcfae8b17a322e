"""What tuf's client refuses, said in a sentence of ours."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from imageqx_export.errors import ImageQXError, ReleaseError, shorten
from imageqx_export.release.names import METADATA_FOLDER
from imageqx_export.support.locks import NO_ROOM


@contextmanager
def explain(address: str, offline: bool = False, name: str = METADATA_FOLDER) -> Iterator[None]:
    """Say in a sentence of ours what tuf's client refuses, and why.

    Raises:
        ReleaseError: It refused something.
    """
    from tuf.api.exceptions import DownloadError, RepositoryError

    try:
        yield
    except ImageQXError:
        raise
    except (RepositoryError, DownloadError) as error:
        cause = _find_cause(error)
        if isinstance(cause, OSError) and cause.errno in NO_ROOM:
            raise OSError(cause.errno, cause.strerror, str(cause.filename or "the cache")) from error
        what, remedy = _explain(error, name, offline)
        got = shorten(str(cause if isinstance(cause, ssl.SSLError) else error).strip() or type(error).__name__, 300)
        raise ReleaseError(what, where=f"{address.rstrip('/')}/{name}", got=got, remedy=remedy) from error


def _find_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _explain(error: Exception, name: str, offline: bool) -> tuple[str, str | None]:
    """Return what is wrong and what to do."""
    from tuf.api import exceptions
    from tuf.api.serialization import DeserializationError

    from imageqx_export.release.web import CutOffError, HopError, SilentServerError

    signed = "ask the publisher; nothing was taken"
    if isinstance(error, exceptions.DownloadHTTPError) and offline:
        return "nothing was pulled from there before, and nothing else is asked offline", "pull once without --offline"
    table: tuple[tuple[type[Exception], str, str | None], ...] = (
        (exceptions.BadVersionNumberError, "the server shows older releases than were seen before", signed),
        (
            exceptions.ExpiredMetadataError,
            "the list of releases has expired: the server is stuck, or holds newer ones back",
            "ask the publisher for imageqx keys renew",
        ),
        (exceptions.UnsignedMetadataError, "the list of releases is not signed by the keys that are trusted", signed),
        (DeserializationError, "what came is no list of releases, as from a login page", "look at the address"),
        (exceptions.DownloadLengthMismatchError, "the server sends more than was signed", signed),
        (
            exceptions.LengthOrHashMismatchError,
            "a file is not the one that was signed"
            if name != METADATA_FOLDER
            else "the lists of releases do not belong together",
            signed,
        ),
        (HopError, "a step of the way to the release is not taken", "name an address with https://, or --insecure"),
        (SilentServerError, "the server is too slow", "run it again: what came is kept"),
        (CutOffError, "the download was cut off", "run it again: what came is kept"),
        (exceptions.DownloadHTTPError, "the release is not there", "look at the address"),
        (exceptions.DownloadError, "the server cannot be asked", "look at the address; what is cached: --offline"),
    )
    for kind, what, remedy in table:
        if isinstance(error, kind):
            return what, remedy
    return "the list of releases is not valid", signed

"""Engines by their names."""

from __future__ import annotations

from imageqx_export.errors import UnknownNameError
from imageqx_export.predict.archive.stage import Engine

THREADS = "threads"
_RAY = "ray"


def choose_engine(name: str) -> Engine:
    """Return the engine that a name means.

    Args:
        name: ``threads``; ``ray`` for a cluster of this machine's cores; or ``ray:ADDRESS`` for one that runs already.

    Raises:
        UnknownNameError: There is no such engine.
        UnavailableError: Its library is not installed.
    """
    kind, _, address = name.partition(":")
    if name == THREADS:
        from imageqx_export.predict.archive.threads import assess_in_threads

        return assess_in_threads
    if kind == _RAY and (name == _RAY or address):
        from imageqx_export.predict.archive.cluster import connect_ray

        return connect_ray(address or None)
    raise UnknownNameError("engine", name, [THREADS, _RAY, f"{_RAY}:ADDRESS"])

"""Networks by name: each is a package with a ``spec.py``, which needs no torch, and a ``network.py``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from imageqx_export.artifact import ModelSpec
from imageqx_export.errors import UnknownNameError

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network

_PACKAGES = {"imageqx": "imageqx_export.networks.imageqx"}
MODELS = tuple(_PACKAGES)


class _SpecModule(Protocol):
    def spec(self) -> ModelSpec: ...


class _NetworkModule(Protocol):
    def build(self, weights: str) -> Network: ...


def build(name: str, weights: str = "random") -> Network:
    """Build the network called ``name``.

    Args:
        name: One of :data:`MODELS`.
        weights: ``"random"`` or ``"imagenet"``.

    Raises:
        UnknownNameError: There is no such network or initialisation.
        UnavailableError: The weights could not be downloaded.
    """
    return cast("_NetworkModule", import_module(f"{_package(name)}.network")).build(weights)


def spec(name: str) -> ModelSpec:
    """Return the ModelSpec of the network called ``name``.

    Raises:
        UnknownNameError: There is no such network.
    """
    return cast("_SpecModule", import_module(f"{_package(name)}.spec")).spec()


def _package(name: str) -> str:
    if name not in _PACKAGES:
        raise UnknownNameError("model", name, MODELS)
    return _PACKAGES[name]

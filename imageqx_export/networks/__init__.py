"""Networks by name: each has a ModelSpec and a builder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from imageqx_export.artifact import ModelSpec
from imageqx_export.errors import UnknownNameError

if TYPE_CHECKING:
    from imageqx_export.networks.imageqx.network import ImageQX


def _imageqx(weights: str) -> ImageQX:
    from imageqx_export.networks.imageqx.network import ImageQX

    return ImageQX(weights)  # type: ignore[arg-type]  # checked by the constructor


def _imageqx_spec() -> ModelSpec:
    from imageqx_export.networks.imageqx.spec import spec

    return spec()


_BUILDERS: dict[str, Callable[[str], ImageQX]] = {"imageqx": _imageqx}
_SPECS: dict[str, Callable[[], ModelSpec]] = {"imageqx": _imageqx_spec}
MODELS = tuple(_BUILDERS)


def build(name: str, weights: str = "random") -> ImageQX:
    """Build the network called ``name``.

    Args:
        name: One of :data:`MODELS`.
        weights: ``"random"`` or ``"imagenet"``.

    Raises:
        UnknownNameError: There is no such network or initialisation.
        UnavailableError: The weights could not be downloaded.
    """
    if name not in _BUILDERS:
        raise UnknownNameError("model", name, MODELS)
    return _BUILDERS[name](weights)


def spec(name: str) -> ModelSpec:
    """Return the ModelSpec of the network called ``name``.

    Raises:
        UnknownNameError: There is no such network.
    """
    if name not in _SPECS:
        raise UnknownNameError("model", name, MODELS)
    return _SPECS[name]()

"""Networks by name: each is a package with a ``spec.py``, which needs no torch, and a ``network.py``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from imageqx_export.artifact import ModelSpec
from imageqx_export.errors import UnknownNameError

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network

Options = Mapping[str, str | float]
"""What makes one network of a family: what ``build`` takes beside the weights, by name."""
NO_OPTIONS: Options = {}


class Entry(NamedTuple):
    """Where a network is, and which one of its family.

    Args:
        package: With ``spec.py`` and ``network.py``, or a module with what both have.
        options: Of the network; a checkpoint's own come on top.
    """

    package: str
    options: Options = NO_OPTIONS


NETWORKS = {
    "imageqx": Entry("imageqx_export.networks.imageqx"),
    "duke-iqa": Entry("imageqx_export.networks.duke_iqa"),
    "duke-iqa-vgg16": Entry("imageqx_export.networks.duke_iqa", {"backbone": "vgg16"}),
}
MODELS = tuple(NETWORKS)
GROUP = "imageqx_export.networks"
"""The entry points by which another distribution offers networks: a name, and the package."""


class _SpecModule(Protocol):
    def spec(self, name: str, **options: str | float) -> ModelSpec: ...


class _NetworkModule(Protocol):
    def build(self, weights: str, name: str, **options: str | float) -> Network: ...


def build(name: str, weights: str = "random", options: Options = NO_OPTIONS) -> Network:
    """Build the network called ``name``.

    Args:
        name: One of :data:`MODELS`, or another distribution's.
        weights: The first ones: ``"random"``, or its backbone's from ImageNet: ``"imagenet"`` or ``"lite0"``.
        options: Of its family, by name.

    Raises:
        UnknownNameError: There is no such network, option or initialisation.
        UnavailableError: The weights could not be had.
    """
    entry = _find(name)
    module = cast("_NetworkModule", _load(entry, "network"))
    return module.build(weights, name, **{**entry.options, **options})


def spec(name: str, options: Options = NO_OPTIONS) -> ModelSpec:
    """Return the ModelSpec of the network called ``name``.

    Raises:
        UnknownNameError: There is no such network.
    """
    entry = _find(name)
    return cast("_SpecModule", _load(entry, "spec")).spec(name, **{**entry.options, **options})


def list_options(name: str) -> tuple[str, ...]:
    """Return the names of the options that the family of the network called ``name`` has; none where it does not say.

    Raises:
        UnknownNameError: There is no such network.
    """
    return tuple(getattr(_load(_find(name), "network"), "OPTIONS", ()))


def _find(name: str) -> Entry:
    if name in NETWORKS:
        return NETWORKS[name]
    others = {point.name: point.value for point in entry_points(group=GROUP)}
    if name not in others:
        raise UnknownNameError("model", name, (*MODELS, *sorted(others)))
    return Entry(others[name])


def _load(entry: Entry, part: str) -> object:
    found = find_spec(entry.package)
    alone = found is not None and found.submodule_search_locations is None
    return import_module(entry.package if alone else f"{entry.package}.{part}")

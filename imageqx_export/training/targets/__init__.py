"""What each network learns, and how that is measured: by the network's name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from imageqx_export.errors import UnknownNameError
from imageqx_export.training.config import TrainingConfig

if TYPE_CHECKING:
    from imageqx_export.training.targets.base import Targets

_MODULES = {"imageqx": "labels", "duke-iqa": "votes", "duke-iqa-vgg16": "votes"}
MODELS = tuple(_MODULES)


def choose_targets(model: str) -> Targets:
    """Return what the network called ``model`` learns.

    Raises:
        UnknownNameError: Nothing says what such a network learns.
    """
    if model not in _MODULES:
        raise UnknownNameError("model to train", model, MODELS)
    targets: Targets = import_module(f"{__name__}.{_MODULES[model]}").TARGETS
    return targets


def make_config(model: str, **options: Any) -> TrainingConfig:
    """Return how to train the network called ``model``, with its own defaults for the options that are None.

    >>> make_config("imageqx", epochs=None, seed=3).epochs
    39

    Raises:
        UnknownNameError: There is no such network, or an option has no such value.
        TrainingError: An option is out of its range.
    """
    given = {name: value for name, value in options.items() if value is not None}
    return TrainingConfig(**{"model": model, **choose_targets(model).DEFAULTS, **given})

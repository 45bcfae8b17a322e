"""Make a checkpoint of ours of a file that another trainer wrote: other names, other containers, other precisions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imageqx_export import networks
from imageqx_export.artifact import Checkpoint
from imageqx_export.checkpoint import UNTRAINED, read_safetensors, save_checkpoint
from imageqx_export.checkpoint_tensors import check_tensors
from imageqx_export.errors import CheckpointError
from imageqx_export.networks import Options
from imageqx_export.support.files import digest
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import describe

if TYPE_CHECKING:
    from torch import Tensor

    from imageqx_export.networks.base import Network

WRAPPERS: Final = ("module.", "_orig_mod.", "model.", "ema_model.", "ema.", "network.", "net.", "backbone.", "encoder.")
"""What trainers put before every name: DataParallel, torch.compile, Lightning, averaged weights, and people's own."""

_STATES: Final = ("state_dict", "model_state_dict", "state_dict_ema", "ema_state_dict", "model_ema", "model", "ema")
_OPTIONS: Final = ("reasons", "labels", "side")
"""What the command can say of a network of its own; not every family has them."""
_COUNTER = "num_batches_tracked"

# timm's EfficientNet-B0: a block's parts, where it has an expansion and where it has none (the first stage).
_TIMM_WHOLE: Final = {
    "conv_pw": "0.0",
    "bn1": "0.1",
    "conv_dw": "1.0",
    "bn2": "1.1",
    "se.conv_reduce": "2.fc1",
    "se.conv_expand": "2.fc2",
    "conv_pwl": "3.0",
    "bn3": "3.1",
}
_TIMM_FIRST: Final = {
    "conv_dw": "0.0",
    "bn1": "0.1",
    "se.conv_reduce": "1.fc1",
    "se.conv_expand": "1.fc2",
    "conv_pw": "2.0",
    "bn2": "2.1",
}
_TIMM_ENDS: Final = {"conv_stem": "0.0", "bn1": "0.1", "conv_head": "8.0", "bn2": "8.1"}
_TIMM_BLOCK = re.compile(r"^blocks\.(\d+)\.(\d+)\.(.+)\.(\w+)$")


class Imported(Frozen):
    """What an import made, and of what.

    Args:
        checkpoint: The file that was written.
        state: The key under which the tensors lay; empty where they lay at the top.
        wrappers: The prefixes that every name had, the outermost first.
        layout: Whose names they were: ``"imageqx"``, ``"torchvision"`` or ``"timm"``.
        mapped: How many tensors were taken.
        converted: How many of them were float16 or bfloat16.
        left_out: Names that the network has no place for.
        filled: Counters of batches that the file did not have; they are 0, and no output depends on them.
        untrained: Tensors of the heads that the file did not have: they are random, and must be trained.
    """

    checkpoint: Checkpoint
    state: str
    wrappers: tuple[str, ...]
    layout: str
    mapped: int
    converted: int
    left_out: tuple[str, ...]
    filled: tuple[str, ...]
    untrained: tuple[str, ...]


def import_checkpoint(
    path: Path, out: Path, *, model: str = "imageqx", state: str | None = None, options: Options = networks.NO_OPTIONS
) -> Imported:
    """Read a file of another trainer's, and write its weights as a checkpoint of ``model``.

    Args:
        path: Safetensors, or what ``torch.save`` wrote: a state dict, or a dict that holds one, such as Lightning's
            ``.ckpt``. It is read by ``torch.load(weights_only=True)``, which runs no code from it.
        out: The safetensors file to write, in one step.
        model: The network's name.
        state: Under which key the tensors lie; None finds it where there is one choice.
        options: Of the network: another clinic's reasons and labels, the photo's side.

    Returns:
        What was taken, and what was missing. Weights alone: there are no thresholds or temperatures in such a file.

    Raises:
        CheckpointError: The file cannot be read without trust, or its tensors are not the network's.
        UnknownNameError: There is no network of that name, or it has no such option.
        OSError: ``out`` cannot be written; what was there still is.
    """
    import torch

    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)  # heads that the file lacks are the same at every import
        network = _build(model, options)
    if path.resolve() == out.resolve():
        raise CheckpointError("the import would replace its own source", where=path, remedy="name another --out")
    found, tensors = find_state(path, read(path), state)
    wrappers, tensors = unwrap(tensors, set(network.state_dict()))
    layout, tensors = rename(tensors)
    wanted = network.state_dict()
    taken = {name: value for name, value in tensors.items() if name in wanted}
    filled, untrained = _find_missing(path, network, taken)
    check_tensors(path, taken, wanted, remedy=_name_options(model))
    network.load_state_dict(taken, strict=False)  # casts to the network's own kinds of numbers
    provenance: dict[str, Any] = {"imported": {"file": path.name, "sha256": digest(path), "layout": layout}}
    if untrained:
        provenance[UNTRAINED] = list(untrained)
    written = save_checkpoint(network, network.spec, {}, provenance, out)
    return Imported(
        checkpoint=written,
        state=found,
        wrappers=wrappers,
        layout=layout,
        mapped=len(taken),
        converted=sum(value.element_size() == 2 for value in taken.values()),
        left_out=tuple(name for name in tensors if name not in wanted),
        filled=filled,
        untrained=untrained,
    )


def _build(model: str, options: Options) -> Network:
    try:
        return networks.build(model, options=options)
    except ValueError as error:
        raise CheckpointError(
            "there is no such network", where=model, got=str(error), remedy=_name_options(model)
        ) from error


def _name_options(model: str) -> str | None:
    """Return the command's options that this family has, as a remedy, or None."""
    own = [f"--{name}" for name in _OPTIONS if name in networks.list_options(model)]
    return f"{', '.join(own)}: as it was trained with" if own else None


def read(path: Path) -> Mapping[str, Any]:
    """Return what a file holds, without running code from it.

    Raises:
        CheckpointError: There is no such file, it is neither format, or holds more than tensors and plain values.
    """
    import pickle

    import torch

    if not path.is_file():
        raise CheckpointError("no such file", where=path)
    with path.open("rb") as file:
        if file.read(9)[8:] == b"{":
            return read_safetensors(path)[0]
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            "the file holds more than tensors and plain values, so it was not read",
            where=path,
            got=describe(error)[:300],
            remedy="where it was made: torch.save(network.state_dict(), 'x.pt')",
        ) from error
    except Exception as error:  # a damaged zip or pickle fails in many ways
        raise CheckpointError(
            "not a whole file of torch.save or safetensors", where=path, got=describe(error)[:300]
        ) from error
    if not isinstance(loaded, Mapping):
        raise CheckpointError("the file holds no dict of tensors", where=path, got=type(loaded).__name__)
    return loaded


def find_state(path: Path, loaded: Mapping[str, Any], state: str | None) -> tuple[str, dict[str, Tensor]]:
    """Return the key under which the tensors lie, empty for the top, and the tensors.

    Raises:
        CheckpointError: They lie nowhere, or under several keys and none was named.
    """
    if state is not None:
        tensors = _read_tensors(loaded.get(state))
        if not tensors:
            keys = ", ".join(map(str, loaded)) or "no key"
            raise CheckpointError("no tensors under that key", where=f"{path}: {state}", got=keys[:300])
        return state, tensors
    if tensors := _read_tensors(loaded):
        return "", tensors
    places = {key: tensors for key in _STATES if (tensors := _read_tensors(loaded.get(key)))}
    if len(places) > 1:
        raise CheckpointError(
            "the file holds several sets of weights", where=path, got=", ".join(places), remedy="name one by --state"
        )
    if not places:
        keys = ", ".join(map(str, loaded)) or "nothing"
        raise CheckpointError(
            "the file holds no weights", where=path, expected=f"tensors, or {', '.join(_STATES)}", got=keys[:300]
        )
    return next(iter(places.items()))


def unwrap(tensors: Mapping[str, Tensor], own: set[str]) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    """Take the prefixes away that all names have, as far as they are wrappers' and not the network's own.

    Args:
        tensors: By name; what is left out of the agreement are counters that averaging adds.
        own: The network's names.

    Returns:
        The prefixes, the outermost first, and the tensors by the names that are left.
    """
    wrappers: list[str] = []
    left = {name: value for name, value in tensors.items() if name != "n_averaged"}
    while prefix := next((w for w in WRAPPERS if left and all(name.startswith(w) for name in left)), None):
        if own & set(left):
            break
        wrappers.append(prefix)
        left = {name.removeprefix(prefix): value for name, value in left.items()}
    return tuple(wrappers), left


def rename(tensors: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    """Return whose names they are, and the tensors by ours."""
    if "conv_stem.weight" in tensors:
        return "timm", {_rename_timm(name): value for name, value in tensors.items()}
    heads = any(name.startswith("explanation_head.") for name in tensors)
    return "imageqx" if heads else "torchvision", dict(tensors)


def _rename_timm(name: str) -> str:
    if found := _TIMM_BLOCK.match(name):
        stage, index, part, tensor = found.groups()
        parts = _TIMM_FIRST if stage == "0" else _TIMM_WHOLE
        return f"features.{int(stage) + 1}.{index}.block.{parts[part]}.{tensor}" if part in parts else name
    part, _, tensor = name.rpartition(".")
    return f"features.{_TIMM_ENDS[part]}.{tensor}" if part in _TIMM_ENDS else name


def _read_tensors(value: Any) -> dict[str, Tensor]:
    """Return a mapping's tensors if it has nothing else, or nothing."""
    import torch

    if not isinstance(value, Mapping) or not value:
        return {}
    whole = all(isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in value.items())
    return dict(value) if whole else {}


def _find_missing(path: Path, network: Network, taken: Mapping[str, Tensor]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the counters and the heads' tensors that are missing.

    Raises:
        CheckpointError: A tensor of the backbone is missing, or only some of the heads'.
    """
    missing = [name for name in network.state_dict() if name not in taken]
    filled = tuple(name for name in missing if name.endswith(_COUNTER))
    weights = [name for name in missing if name not in filled]
    heads = [name for name in network.state_dict() if not name.startswith("features.") and not name.endswith(_COUNTER)]
    if weights and weights != heads:
        more = f" and {len(weights) - 1} more" if len(weights) > 1 else ""
        raise CheckpointError(
            "a tensor is missing",
            where=f"{path}: {weights[0]}{more}",
            expected="the names of ImageQX, or of torchvision's or timm's EfficientNet-B0",
            got=f"{len(taken)} tensors of the network's {len(network.state_dict())}",
        )
    if weights:  # the counters of untrained heads are untrained with them
        filled = tuple(name for name in filled if name.startswith("features."))
    return filled, tuple(weights)

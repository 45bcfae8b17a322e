"""Save and load checkpoints: safetensors with the ModelSpec, metrics and provenance in the file's own header."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from imageqx_export import networks
from imageqx_export.artifact import Checkpoint, ModelSpec, Temperatures
from imageqx_export.checkpoint_tensors import check_tensors, find_prefix
from imageqx_export.errors import CheckpointError, UnknownNameError
from imageqx_export.support.files import digest, write_aside
from imageqx_export.support.untrusted import describe, parse_json

if TYPE_CHECKING:
    from torch import Tensor

    from imageqx_export.networks.base import Network

# One key, as safetensors writes several in an order that changes from run to run.
_HEADER_KEY = "imageqx_export"
_MOST_HEADER = 16 * 2**20
"""Bytes of a safetensors header whose tensors need not be read."""
UNTRAINED = "untrained"
"""Where provenance names tensors that are random, as an import from a backbone leaves the heads."""
_IMPORT = "imageqx import-checkpoint {} --out NEW.safetensors"
_OLD_TEMPERATURES_KEY = "calibration"  # a word that now means activation ranges alone
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def save_checkpoint(
    network: Network,
    spec: ModelSpec,
    metrics: dict[str, Any],
    provenance: dict[str, Any],
    path: Path,
    temperatures: Temperatures | None = None,
) -> Checkpoint:
    """Write ``network`` to ``path`` as float32 safetensors.

    Args:
        network: The network; its integer buffers are written as float32 too.
        spec: What its inputs and outputs mean.
        metrics: JSON-able numbers by name.
        provenance: JSON-able facts by name.
        path: Where to; replaced in one step.
        temperatures: For the header alone: the weights are written as they were trained.

    Raises:
        OSError: It cannot be written; whatever was at ``path`` is still there.
    """
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().float().contiguous() for name, value in network.state_dict().items()}
    header = {"spec": spec.model_dump(mode="json"), "metrics": metrics, "provenance": provenance}
    if network.options:
        header["options"] = dict(network.options)
    if temperatures is not None:
        header["temperatures"] = temperatures.model_dump(mode="json")
    with write_aside(path) as aside:
        # Not save_file, which puts another file in this one's place: nobody would hold it, and another writer clear it.
        aside.write_bytes(save(tensors, metadata={_HEADER_KEY: json.dumps(header, sort_keys=True)}))
    return Checkpoint(
        path=path, sha256=digest(path), spec=spec, metrics=metrics, provenance=provenance, temperatures=temperatures
    )


def load_checkpoint(path: Path, model: str | None = None, *, sha256: str | None = None) -> tuple[Checkpoint, Network]:
    """Read ``path`` and put its weights and temperatures into a new network, in eval mode.

    Args:
        path: A safetensors file. Nothing in it is ever executed; pickles are refused unread.
        model: The network's name, and no other is taken; None takes what the file says, ImageQX where it says nothing.
        sha256: The file's digest, where it is known already; None computes it.

    Raises:
        CheckpointError: The file is missing, truncated, a pickle, or its tensors do not fit the network exactly.
        UnknownNameError: There is no network of that name.
    """
    tensors, header = read_safetensors(path)  # first, as it needs no torch: a wrong path is told at once
    if model is None:
        model = _find_name(header)
    networks.spec(model)
    _refuse_other(path, header, model)
    network = _build(path, header, model)
    _check(path, tensors, network.state_dict())
    network.load_state_dict(tensors)  # casts float32 back to the integer buffers
    network.eval()
    try:
        spec = ModelSpec.model_validate(header["spec"]) if "spec" in header else network.spec
        checkpoint = Checkpoint(
            path=path,
            sha256=sha256 or digest(path),
            spec=spec,
            metrics=header.get("metrics", {}),
            provenance=header.get("provenance", {}),
            temperatures=_read_temperatures(header, path, network.spec.reasons),
        )
    except ValidationError as error:
        raise CheckpointError("the ModelSpec in the header is not valid", where=path, got=describe(error)) from error
    # Thresholds and hints are a clinic's to change; what the outputs are is the network's.
    for field in ("inputs", "outputs", "labels", "reasons", "preprocessing"):
        if getattr(spec, field) != getattr(network.spec, field):
            raise CheckpointError("the header's ModelSpec is not the network's", where=f"{path}: {field}")
    known = [one.binary and (one.binary.list_outputs(), one.binary.ranks) for one in (spec, network.spec)]
    if known[0] != known[1]:
        raise CheckpointError("the header's ModelSpec is not the network's", where=f"{path}: binary")
    if checkpoint.temperatures is not None:
        network.set_temperatures(checkpoint.temperatures)
    return checkpoint, network


def load_same(path: Path, sha256: str, model: str | None = None) -> tuple[Checkpoint, Network]:
    """Read a checkpoint that was read before, perhaps by another process.

    Args:
        path: As for :func:`load_checkpoint`, likewise ``model``.
        sha256: What its digest was.
        model: The network's name.

    Raises:
        CheckpointError: It has been written since, or as for :func:`load_checkpoint`.
        UnknownNameError: There is no network of that name.
    """
    checkpoint, network = load_checkpoint(path, model)
    if checkpoint.sha256 != sha256:
        raise CheckpointError(
            "the checkpoint changed while it was used",
            where=path,
            expected=f"SHA-256 {sha256}",
            got=checkpoint.sha256,
            remedy="run it again when nothing writes to it",
        )
    return checkpoint, network


def find_model(path: Path) -> str:
    """Return the name of the network that a checkpoint is of, ImageQX's where the file says nothing.

    The header alone is read, without PyTorch; whether the tensors fit is for :func:`load_checkpoint` to say.

    Raises:
        CheckpointError: As :func:`read_safetensors`, where there is no whole header.
    """
    with suppress(OSError, ValueError, TypeError, AttributeError):
        return _find_name(_read_header(path))
    return _find_name(read_safetensors(path)[1])  # which knows what is wrong


def _read_header(path: Path) -> dict[str, Any]:
    """Return our header of a safetensors file: 8 bytes of length, little-endian, and JSON of that many bytes."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _MOST_HEADER:
            raise ValueError(f"a header of {length} bytes")
        if len(text := file.read(length)) != length:
            raise ValueError("a header that is cut")
    header = parse_json(parse_json(text).get("__metadata__", {}).get(_HEADER_KEY, "{}"))
    return dict(header)


def _find_name(header: dict[str, Any]) -> str:
    """Return the network that a header names, if there is one of that name, and ImageQX otherwise."""
    spec = header.get("spec")
    name = spec.get("name") if isinstance(spec, dict) else None
    try:
        networks.spec(str(name))
    except UnknownNameError:
        return networks.MODELS[0]
    return str(name)


def _refuse_other(path: Path, header: dict[str, Any], model: str) -> None:
    """Refuse another network's checkpoint before its tensors are missed."""
    spec = header.get("spec")
    name = spec.get("name") if isinstance(spec, dict) else None
    if isinstance(name, str) and name != model:
        raise CheckpointError(
            "a checkpoint of another model", where=path, expected=model, got=name[:80], remedy=f"--model {name[:80]}"
        )


def _build(path: Path, header: dict[str, Any], model: str) -> Network:
    """Build the network with the header's options, or raise what is wrong with them."""
    options = header.get("options", {})
    try:
        if not isinstance(options, dict) or not all(isinstance(value, str | float) for value in options.values()):
            raise ValueError("not names with words and numbers")
        return networks.build(model, options=options)
    except (UnknownNameError, ValueError, TypeError) as error:
        if not options:  # then it is the model's name
            raise
        raise CheckpointError(
            "the options in the header are not valid", where=path, got=f"{str(options)[:80]}: {describe(error)}"
        ) from error


def _read_temperatures(header: dict[str, Any], path: Path, reasons: tuple[str, ...]) -> Temperatures | None:
    key = "temperatures" if "temperatures" in header else _OLD_TEMPERATURES_KEY
    if header.get(key) is None:
        return None
    where = f"{path}: {key}"
    try:
        temperatures = Temperatures.model_validate(header[key])
    except ValidationError as error:
        raise CheckpointError(
            "the temperatures in the header are not valid",
            where=where,
            expected="numbers from 0.01 to 100",
            got=describe(error),
            remedy="imageqx thresholds fits them anew",
        ) from error
    if set(temperatures.explanations) != set(reasons):
        raise CheckpointError(
            "the temperatures in the header are not the network's",
            where=where,
            expected=", ".join(reasons),
            got=", ".join(sorted(temperatures.explanations)),
            remedy="imageqx thresholds fits them anew",
        )
    return temperatures


def refuse_untrained(checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint whose heads are random, as :mod:`imageqx_export.checkpoint_import` leaves a backbone's.

    Raises:
        CheckpointError: Its provenance says so.
    """
    if checkpoint.provenance.get(UNTRAINED):
        raise CheckpointError(
            "the heads are random: only the backbone was imported",
            where=checkpoint.path,
            expected="a trained network",
            remedy=f"imageqx train --init {checkpoint.path}",
        )


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a file's tensors and our header, empty where it has none.

    Raises:
        CheckpointError: There is no such file, it is a pickle, truncated, or its header is no JSON object.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise CheckpointError("no such file", where=path, remedy="imageqx train, or pass --checkpoint PATH")
    with path.open("rb") as file:
        start = file.read(9)
    # safetensors: 8 bytes of length, which may look like a pickle's start, then a brace
    if start.startswith(_PICKLE_STARTS) and start[8:] != b"{":
        raise CheckpointError(
            "a pickle: loading it could run code, so it was not read",
            where=path,
            expected="a safetensors file",
            remedy=_IMPORT.format(path),
        )
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER_KEY, "{}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, ValueError, OSError) as error:
        raise CheckpointError(
            "not a whole safetensors file",
            where=path,
            got=f"{path.stat().st_size} bytes; {describe(error)}",
            remedy="copy the file again, or git checkout -- models/",
        ) from error
    try:
        header = parse_json(text)
    except ValueError as error:
        raise CheckpointError(
            "the header is not valid", where=path, got=describe(error), remedy="git checkout -- models/, or train again"
        ) from error
    if not isinstance(header, dict):
        raise CheckpointError("the header is not a JSON object", where=path, got=type(header).__name__)
    return tensors, header


def _check(path: Path, tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    missing = [name for name in wanted if name not in tensors]
    surplus = [name for name in tensors if name not in wanted]
    for what, names in (("a tensor is missing", missing), ("a tensor is not the network's", surplus)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            prefix = find_prefix(tensors, wanted)
            raise CheckpointError(
                what,
                where=f"{path}: {names[0]}{more}",
                got=f"names that all begin with {prefix}" if prefix else None,
                remedy=_IMPORT.format(path),
            )
    check_tensors(path, tensors, wanted)

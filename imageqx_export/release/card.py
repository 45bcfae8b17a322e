"""The model card of a release, as Markdown that Hugging Face reads too, and as JSON with each number's command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from imageqx_export.release.contents import Contents
from imageqx_export.release.names import PROVENANCE_FILE, SBOM_FILE
from imageqx_export.support.escapes import escape_code, escape_markdown

GIT_ATTRIBUTES = "\n".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text" for pattern in ("*.onnx", "*.tflite", "*.mlmodel", "*.bin")
)
"""What Hugging Face keeps as large files."""


def write_card(contents: Contents) -> bytes:
    """Return the card as Markdown, with the YAML that Hugging Face asks for at its top."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    release = contents.release
    environment = Environment(
        loader=PackageLoader("imageqx_export.release", "."),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    environment.filters |= {"text": escape_markdown, "code": escape_code}
    text = environment.get_template("card.md.j2").render(
        release=release,
        commit=contents.facts.commit,
        formats=sorted({str(one.format) for one in release.artifacts}),
        targets=sorted({target for one in release.artifacts for target in one.milliseconds}),
        headline={name: value for name, value in release.scores.items() if "/" not in name and name != "samples"},
        samples_of=name_samples(contents),
        rated=is_rated(contents),
        input=release.spec["inputs"][0],
        sbom=SBOM_FILE,
        provenance=PROVENANCE_FILE,
    )
    return text.encode()


def write_card_json(contents: Contents) -> bytes:
    """Return the card as JSON: every number with what it is of and the command that produced it."""
    release = contents.release
    numbers: list[dict[str, Any]] = []
    export = f"imageqx export --model {release.model}"
    for name, value in release.scores.items():
        numbers.append({"name": name, "of": name_samples(contents), "value": value, "command": "imageqx train"})
    for one in release.artifacts:
        numbers.append({"name": "bytes", "of": one.path, "value": one.size_bytes, "command": export})
        if one.max_abs is not None:
            numbers.append({"name": "max_abs", "of": one.path, "value": one.max_abs, "command": export})
        for target, value in one.milliseconds.items():
            command = f"imageqx bench artifacts/{release.model} --target {target}"
            numbers.append({"name": "milliseconds", "of": one.path, "value": value, "command": command})
    card = {
        "model": release.model,
        "version": release.version,
        "license": "Apache-2.0",
        "medical_device": False,
        "checkpoint_sha256": release.checkpoint_sha256,
        "commit": contents.facts.commit,
        "numbers": numbers,
    }
    return (json.dumps(card, indent=1) + "\n").encode()


def is_rated(contents: Contents) -> bool:
    """Return whether people's ratings were trained on, as the checkpoint says."""
    return "rated" in _read_data(contents)


def name_samples(contents: Contents) -> str:
    """Return what the scores were measured on."""
    return str(_read_data(contents).get("validation") or "held-out samples")


def _read_data(contents: Contents) -> Mapping[str, Any]:
    """Return what the checkpoint says of its data; nothing where it says nothing."""
    provenance = contents.facts.header.get("provenance")
    data = provenance.get("data") if isinstance(provenance, dict) else None
    return data if isinstance(data, dict) else {}

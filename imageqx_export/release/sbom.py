"""The bill of materials of a release, as CycloneDX 1.6 has it, with the model as a component and its card."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imageqx_export.errors import ReleaseError
from imageqx_export.release.card import is_rated
from imageqx_export.release.contents import Contents
from imageqx_export.support.libraries import require

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

_DRAWN_LABELS = "the labels are what was done to a picture, not what dermatologists saw"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:imageqx-export:sbom")


def write_sbom(contents: Contents) -> bytes:
    """Return the bill of materials: the model with its card, each file with its digest, each library that made it.

    The same release gives the same bytes: the serial number is made of the digests, and there is no time in it.

    Raises:
        ReleaseError: What came out breaks the schema, or refers to something that it does not have.
    """
    require("cyclonedx")
    from cyclonedx.model.bom import Bom
    from cyclonedx.output.json import JsonV1Dot6

    release = contents.release
    key = f"{release.model}@{release.version}"
    identity = "\n".join([key, release.checkpoint_sha256, *(one.sha256 for one in release.artifacts)])
    model = _make_component(
        "machine-learning-model", release.model, release.version, key, sha256=release.checkpoint_sha256
    )
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, identity))
    bom.metadata.component = model
    tools = {pair for one in contents.manifest.artifacts for pair in one.tool_versions.items()}
    libraries = {pair: _make_library(*pair) for pair in sorted(tools)}
    files = []
    for one in contents.manifest.artifacts:
        name = one.path.as_posix()
        files.append(_make_component("file", name, release.version, f"{key}/{name}", sha256=one.sha256))
        bom.register_dependency(files[-1], [libraries[pair] for pair in sorted(one.tool_versions.items())])
    for component in (*libraries.values(), *files):
        bom.components.add(component)
    bom.register_dependency(model, files)
    value = json.loads(JsonV1Dot6(bom).output_as_string())
    value["metadata"].pop("timestamp", None)
    value["metadata"]["component"]["modelCard"] = make_card(contents)
    check_sbom(value)
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _make_component(kind: str, name: str, version: str, reference: str, *, sha256: str) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom_ref import BomRef
    from cyclonedx.model.component import Component, ComponentType

    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=sha256)]
    return Component(name=name, version=version, type=ComponentType(kind), bom_ref=BomRef(reference), hashes=hashes)


def _make_library(name: str, version: str) -> Component:
    from cyclonedx.model.bom_ref import BomRef
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    purl = PackageURL("pypi", None, name, version.partition("+")[0])
    return Component(name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=BomRef(str(purl)))


def make_card(contents: Contents) -> dict[str, Any]:
    """Return the model card as the schema's ``modelCard`` has it, which the Python library does not know."""
    spec, release = contents.release.spec, contents.release
    metrics = [{"type": name, "value": f"{value:.6g}"} for name, value in release.scores.items()]
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "image quality assessment",
            "architectureFamily": "convolutional neural network",
            "modelArchitecture": release.model,
            "inputs": [{"format": _describe_tensor(one)} for one in spec["inputs"]],
            "outputs": [{"format": _describe_tensor(one)} for one in spec["outputs"]],
        },
        "quantitativeAnalysis": {"performanceMetrics": metrics},
        "considerations": {
            "users": ["makers of apps in which people photograph their skin"],
            "useCases": ["asking for a better photo before a dermatologist looks at it"],
            "technicalLimitations": [
                "a demonstration, not a medical device",
                "not validated on patients",
                *(() if is_rated(contents) else (_DRAWN_LABELS,)),
            ],
        },
    }


def check_sbom(value: Mapping[str, Any]) -> None:
    """Hold a bill of materials to its schema, and every reference in it to something that is there.

    Raises:
        ReleaseError: It breaks either.
    """
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(value))
    if problem is not None:
        raise ReleaseError("the bill of materials breaks CycloneDX's schema", got=str(problem)[:300])
    there = {one["bom-ref"] for one in (value["metadata"]["component"], *value.get("components", ()))}
    named = {row["ref"] for row in value.get("dependencies", ())}
    named |= {ref for row in value.get("dependencies", ()) for ref in row.get("dependsOn", ())}
    if dangling := sorted(named - there):
        raise ReleaseError("the bill of materials refers to what it does not have", got=", ".join(dangling[:3]))


def _describe_tensor(tensor: Mapping[str, Any]) -> str:
    shape = ",".join(map(str, tensor["shape"]))
    return f"{tensor['name']}: {tensor['dtype']} [{shape}], {tensor['meaning']}"

"""Where a release comes from: an in-toto statement with SLSA's provenance, signed by the keys that sign releases."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imageqx_export.errors import ReleaseError
from imageqx_export.release.contents import Contents
from imageqx_export.support.libraries import require
from imageqx_export.support.untrusted import describe, parse_json

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://pypi.org/project/imageqx-export#export"
_PAYLOAD = "application/vnd.in-toto+json"
_SHA256 = re.compile("[0-9a-f]{64}")


def write_statement(contents: Contents, digests: Mapping[str, str]) -> bytes:
    """Return the statement: what the files are, and from which checkpoint, recipes, commit and lock they were built.

    Args:
        contents: The release.
        digests: SHA-256 of each file, by its name in the release's folder.

    Raises:
        ReleaseError: It is not a valid statement.
    """
    require("in_toto_attestation")
    from google.protobuf.json_format import MessageToDict
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement

    subjects = [ResourceDescriptor(name=name, digest={"sha256": sha256}).pb for name, sha256 in sorted(digests.items())]
    statement = Statement(subjects, PREDICATE, _make_predicate(contents))
    try:
        statement.validate()
    except ValueError as error:
        raise ReleaseError("the provenance is not a valid statement", got=describe(error)) from error
    value = MessageToDict(statement.pb)
    check_statement(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def sign_statement(statement: bytes, signers: Sequence[CryptoSigner]) -> bytes:
    """Return a statement in a signed envelope (DSSE 1.0)."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(statement, _PAYLOAD, {})
    for signer in signers:
        envelope.sign(signer)
    return (json.dumps(envelope.to_dict(), indent=1) + "\n").encode()


def open_statement(content: bytes, keys: Sequence[Key], threshold: int) -> dict[str, Any]:
    """Return the statement of a signed envelope.

    Args:
        content: The envelope.
        keys: Those that may sign it.
        threshold: How many of them must have.

    Raises:
        ReleaseError: It is no envelope, not signed by enough of them, or not a valid statement.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    try:
        envelope = Envelope.from_dict(parse_json(content))
        envelope.verify(list(keys), threshold)
        value = parse_json(envelope.payload)
    except (AttributeError, KeyError, TypeError, ValueError, VerificationError) as error:
        raise ReleaseError("the provenance is not signed as it must be", got=describe(error)) from error
    check_statement(value)
    return dict(value)


def check_statement(value: Any) -> None:
    """Hold a statement to what in-toto's library does not look at: each subject once, each digest a SHA-256.

    Raises:
        ReleaseError: It is another kind of statement, or a subject is named twice or without a digest.
    """
    subjects = value.get("subject") if isinstance(value, dict) else None
    if not isinstance(subjects, list) or value.get("predicateType") != PREDICATE:
        raise ReleaseError("the provenance is not a statement of SLSA's provenance", expected=PREDICATE)
    names = [one.get("name") for one in subjects if isinstance(one, dict)]
    digests = [one.get("digest") for one in subjects if isinstance(one, dict)]
    found = [str(one.get("sha256")) for one in digests if isinstance(one, dict)]
    named = {name for name in names if isinstance(name, str)}
    if not subjects or {len(named), len(found)} != {len(subjects)} or not all(map(_SHA256.fullmatch, found)):
        raise ReleaseError("the provenance names no files, one twice, or one without its SHA-256")


def _make_predicate(contents: Contents) -> dict[str, Any]:
    release, facts, manifest = contents.release, contents.facts, contents.manifest
    materials = [{"name": facts.checkpoint.name, "digest": {"sha256": release.checkpoint_sha256}}]
    materials += [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in sorted(manifest.recipes.items())]
    if facts.lock_sha256:
        materials.append({"name": "requirements/lock.txt", "digest": {"sha256": facts.lock_sha256}})
    commit, _, dirty = facts.commit.partition("+")
    if re.fullmatch("[0-9a-f]{40,64}", commit):
        materials.append({"name": "imageqx-export", "digest": {"gitCommit": commit}})
    wanted = {
        "model": release.model,
        "version": release.version,
        "artifacts": sorted(one.name for one in release.artifacts),
    }
    tools = {name: number for one in manifest.artifacts for name, number in one.tool_versions.items()}
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": wanted,
            "internalParameters": {"tool_versions": tools, "uncommitted_changes": bool(dirty) or commit == "unknown"},
            "resolvedDependencies": materials,
        },
        "runDetails": {"builder": {"id": _find_builder()}},
    }


def _find_builder() -> str:
    """Return who built: the workflow where one runs, which GitHub names, and otherwise nobody in particular."""
    server, workflow = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_WORKFLOW_REF")
    return f"{server}/{workflow}" if server and workflow else "urn:imageqx-export:a-person"

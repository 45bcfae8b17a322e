"""What was shown of artifacts on accelerators, kept beside the checkpoint, by the artifacts' digests."""

from __future__ import annotations

from pathlib import Path

from imageqx_export.artifact import Proof
from imageqx_export.errors import ArtifactError
from imageqx_export.support.files import write_aside
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import describe, read_model

SUFFIX = ".proofs.json"


class ProofTable(Frozen):
    """Proofs of several files.

    Attributes:
        proofs: SHA-256 of the file → what was shown of it.
        names: SHA-256 of the file → its name, for people.
    """

    schema_version: int = 1
    proofs: dict[str, tuple[Proof, ...]]
    names: dict[str, str]


def read_proofs_beside(checkpoint: Path) -> dict[str, tuple[Proof, ...]]:
    """Read the proofs beside a checkpoint, ``<name>.proofs.json``; none where there are none.

    Raises:
        ArtifactError: They cannot be read.
    """
    path = checkpoint.with_suffix(SUFFIX)
    return read_proofs(path).proofs if path.exists() else {}


def read_proofs(path: Path) -> ProofTable:
    """Read proofs.

    Raises:
        ArtifactError: They cannot be read.
    """
    try:
        return read_model(path, ProofTable)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            "the proofs cannot be read",
            where=path,
            got=describe(error),
            remedy="imageqx compat artifacts/imageqx --target … --record " + str(path),
        ) from error


def write_proofs(path: Path, table: ProofTable) -> None:
    """Write proofs, whole or not at all."""
    with write_aside(path) as aside:
        aside.write_text(table.model_dump_json(indent=1) + "\n")

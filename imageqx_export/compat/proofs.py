"""Turn answers into proofs: what a manifest says of a file, so that an app can choose a delegate by it."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path

from imageqx_export.artifact import Proof
from imageqx_export.bundle.proofs import ProofTable, read_proofs, write_proofs
from imageqx_export.compat.model import AcceleratorResult, CompatReport

_PROVED = ("right", "wrong", "refused", "estimated")


def record_proofs(path: Path, report: CompatReport) -> ProofTable:
    """Write what a report proves over what a file has of the same files and targets; what it says of others stays.

    Args:
        path: The table; made where there is none.
        report: A comparison.

    Raises:
        ArtifactError: The file is there and cannot be read.
    """
    old = read_proofs(path) if path.exists() else ProofTable(proofs={}, names={})
    found = prove(report)
    asked = {(row.artifact, row.target, row.chip) for row in report.results}
    # A file of the same name and another digest is an older one, of which nothing need be said any more.
    named = {row.artifact: row.sha256 for row in report.results}
    stale = {sha for sha, name in old.names.items() if named.get(name, sha) != sha}
    proofs = {
        sha: tuple(kept for proof in rows if (kept := _drop_targets(proof, old.names.get(sha), asked)).chips)
        for sha, rows in old.proofs.items()
        if sha not in stale
    }
    for sha, rows in found.items():
        proofs[sha] = merge_proofs((*proofs.get(sha, ()), *rows))
    names = {sha: name for sha, name in old.names.items() if sha not in stale}
    names |= {row.sha256: row.artifact for row in report.results}
    order = sorted(proofs, key=lambda sha: names[sha])
    table = ProofTable(
        proofs={sha: tuple(sorted(proofs[sha], key=lambda p: (p.target, p.chips))) for sha in order if proofs[sha]},
        names={sha: names[sha] for sha in order if proofs[sha]},
    )
    write_proofs(path, table)
    return table


def prove(report: CompatReport) -> dict[str, tuple[Proof, ...]]:
    """Return the proofs in a report by the files' digests; chips with the same answer share one.

    What is unavailable or unproved proves nothing.
    """
    found: dict[str, list[Proof]] = {}
    for row in report.results:
        if row.verdict in _PROVED:
            found.setdefault(row.sha256, []).append(_make_proof(row, report.images))
    return {sha: merge_proofs(rows) for sha, rows in found.items()}


def merge_proofs(proofs: Iterable[Proof]) -> tuple[Proof, ...]:
    """Return one proof for all chips with the same answer, in the order in which they come."""
    merged: dict[Proof, tuple[str, ...]] = {}
    for proof in proofs:
        answer = proof.model_copy(update={"chips": ()})
        merged[answer] = (*merged.get(answer, ()), *proof.chips)
    return tuple(answer.model_copy(update={"chips": chips}) for answer, chips in merged.items())


def find_proof(table: ProofTable | None, sha256: str, target: str, chip: str, images: int) -> Proof | None:
    """Return what a table says of a file's very bytes on a chip; None where it was not asked about as many pictures."""
    rows = () if table is None else table.proofs.get(sha256, ())
    return next((p for p in rows if (p.target, p.images) == (target, images) and chip in p.chips), None)


def _drop_targets(proof: Proof, name: str | None, asked: Container[tuple[str | None, str, str]]) -> Proof:
    """Return a proof of those of its chips that were not asked again."""
    return proof.model_copy(
        update={"chips": tuple(chip for chip in proof.chips if (name, proof.target, chip) not in asked)}
    )


def _make_proof(row: AcceleratorResult, images: int) -> Proof:
    label = row.get_label()
    worst = max((output.max_abs for output in row.outputs), default=None)
    whole = row.verdict != "refused" and row.coverage is not None and row.coverage.whole
    return Proof.model_validate(
        {
            "target": row.target,
            "chips": (row.chip,),
            "verdict": row.verdict,
            "whole": whole,
            "labels": None if label is None else label.decisions - label.differing,
            "images": images,
            "max_abs": None if worst is None else float(f"{worst:.2g}"),
            "tool": row.tool,
        }
    )

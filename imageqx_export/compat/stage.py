"""The compat stage: every artifact on every accelerator asked for; what cannot be asked says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from imageqx_export.artifact import Artifact, Format, Manifest, ModelSpec, Outputs, Pixels, Precision
from imageqx_export.bundle.golden import load_golden_outputs, load_golden_pixels
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.bundle.proofs import ProofTable
from imageqx_export.compat.accelerator import Accelerator, Answer, load_accelerator, parse_target
from imageqx_export.compat.model import AcceleratorResult, CompatReport, Control, Recorded, ReferenceKind, Verdict
from imageqx_export.compat.proofs import find_proof
from imageqx_export.compat.strangers import name_outputs, read_scales, run_on_cpu, scale_outputs
from imageqx_export.data.images import generate_images
from imageqx_export.decisions import name_deciding_output
from imageqx_export.errors import ArtifactError, MeasurementError, UnavailableError
from imageqx_export.input_form import DEFAULT_FORM, read_form
from imageqx_export.parity.compare import (
    ACCELERATOR_STEPS,
    ACCELERATOR_TOLERANCES,
    TOLERANCES,
    OutputParity,
    compare_outputs,
)
from imageqx_export.parity.stage import compute_references
from imageqx_export.support.files import digest
from imageqx_export.support.processes import run_isolated
from imageqx_export.support.progress import Progress, silent


@dataclass(frozen=True)
class Subject:
    """A file that is asked about.

    Attributes:
        name: As tables call it.
        path: The file.
        sha256: Its digest.
        format: Its format.
        precision: Its scheme; None where no manifest says.
    """

    name: str
    path: Path
    sha256: str
    format: Format
    precision: Precision | None


def check_compat(
    folder: Path,
    targets: Sequence[str],
    *,
    files: Sequence[Path] = (),
    precisions: Sequence[Precision] = (),
    checkpoint: Path | None = None,
    steps: bool = False,
    accept_license: bool = False,
    recorded: ProofTable | None = None,
    keep: Callable[[CompatReport], object] = lambda report: None,
    progress: Progress = silent,
) -> CompatReport:
    """Compile and run files on accelerators' compilers and simulators, and compare what they say with PyTorch.

    Args:
        folder: The folder with ``manifest.json`` and ``golden/``.
        targets: As :func:`parse_target` reads them, such as ``"qualcomm:SM8550,SM8650"``.
        files: Files of anybody's with the same inputs and outputs, in place of the folder's; each is compared with what
            it says itself on this CPU.
        precisions: Of the folder's files, these alone; none for all.
        checkpoint: The artifacts' own: PyTorch then gives what they are compared with, on the 64 pictures of parity;
            None takes the golden pictures, and what the export kept of them.
        steps: Whether single operators are compared too, where a target can.
        accept_license: Whether the licences of what the targets install were accepted.
        recorded: What is known already: of the very same bytes, on the same chip and as many pictures, nothing is asked
            again, but for single operators, which a table does not hold.
        keep: Called with a report of each row that was asked, as it comes.
        progress: Opens bars.

    Raises:
        ParityError: There is no readable manifest, or the checkpoint is another.
        MeasurementError: The golden pictures cannot be read.
        UnknownNameError: There is no such target or chip.
        UnavailableError: None of the targets can be had here.
    """
    manifest = read_manifest(folder)
    wanted = [parse_target(text) for text in targets]
    spec = manifest.artifacts[0].spec
    pixels = load_golden_pixels(folder) if checkpoint is None else generate_images(spec=spec)
    subjects = [read_subject(path) for path in files] or list_subjects(folder, manifest, precisions)
    references = find_references(folder, subjects, spec, pixels, checkpoint)
    source: Literal["golden", "generated"] = "golden" if checkpoint is None else "generated"
    controls: list[Control] = []
    results: list[AcceleratorResult] = []
    pairs = [(name, chip) for name, chips in wanted for chip in chips]
    taken = {pair: [s for s in subjects if s.format in load_accelerator(pair[0]).FORMATS] for pair in pairs}
    known = _recall(taken, None if steps else recorded, len(pixels))
    names = {(row.target, row.chip, row.artifact) for row in known}
    taken = {pair: [s for s in listed if (*pair, s.name) not in names] for pair, listed in taken.items()}
    with progress("asking accelerators", sum(map(len, taken.values()))) as advance:
        for (name, chip), listed in taken.items():
            if not listed:
                continue
            accelerator = load_accelerator(name)
            trouble, control = _run_control(accelerator, chip, accept_license, progress)
            if control is not None:
                controls.append(control)
            for subject in listed:
                asked = Asked(name, chip, subject, spec, *references[subject.name])
                row = unavailable(asked, trouble) if trouble else ask(accelerator, asked, pixels, control, steps=steps)
                results.append(row)
                keep(CompatReport(images=len(pixels), source=source, controls=(), results=(row,)))
                advance()
    if results and all(row.verdict == "unavailable" for row in results):
        raise UnavailableError("no accelerator could be asked", got="; ".join(sorted({*results[0].problems})))
    return CompatReport(
        images=len(pixels), source=source, controls=tuple(controls), results=tuple(results), recorded=known
    )


def _recall(
    taken: Mapping[tuple[str, str], Sequence[Subject]], table: ProofTable | None, images: int
) -> tuple[Recorded, ...]:
    """Return what a table has of each file on each accelerator's chip."""
    return tuple(
        Recorded(artifact=subject.name, target=name, chip=chip, proof=proof)
        for (name, chip), subjects in taken.items()
        for subject in subjects
        if (proof := find_proof(table, subject.sha256, name, chip, images)) is not None
    )


@dataclass(frozen=True)
class Asked:
    """One file on one chip, and what it is compared with.

    Attributes:
        target: The accelerator's name.
        chip: Its chip.
        subject: The file.
        spec: What outputs mean.
        reference: The outputs that it should give.
        kind: Whether these are PyTorch's, kept by the export or computed now, or the same file's on this CPU.
    """

    target: str
    chip: str
    subject: Subject
    spec: ModelSpec
    reference: Outputs
    kind: ReferenceKind

    def answer(self, verdict: Verdict, problems: tuple[str, ...], **found: Any) -> AcceleratorResult:
        """Return the row of this file on this chip; ``found`` has the fields that the accelerator's tools filled."""
        return AcceleratorResult(
            artifact=self.subject.name,
            sha256=self.subject.sha256,
            format=self.subject.format,
            precision=self.subject.precision,
            target=self.target,
            chip=self.chip,
            verdict=verdict,
            problems=problems,
            **found,
        )


def list_subjects(folder: Path, manifest: Manifest, precisions: Sequence[Precision]) -> list[Subject]:
    """Return the manifest's files, of some precisions or of all.

    Raises:
        MeasurementError: One takes other than what apps feed.
    """

    def subject(artifact: Artifact) -> Subject:
        path = folder / artifact.path
        if (form := read_form(artifact.spec)) != DEFAULT_FORM:
            raise MeasurementError(
                "a file that apps do not feed",
                where=path,
                expected=DEFAULT_FORM.name,
                got=form.name,
                remedy="imageqx export without --batch and --input",
            )
        return Subject(str(artifact.path), path, digest(path), artifact.format, artifact.precision)

    return [subject(a) for a in manifest.artifacts if not precisions or a.precision in precisions]


def read_subject(path: Path) -> Subject:
    """Return a file that no manifest knows.

    Raises:
        ArtifactError: It is missing, or of no known format.
    """
    formats = {format.suffix: format for format in Format}
    if path.suffix not in formats or not path.exists():
        raise ArtifactError(
            "not a file to ask about", where=path, expected="an existing " + ", ".join(formats), remedy="see its name"
        )
    return Subject(path.name, path, digest(path), formats[path.suffix], None)


def ask(
    accelerator: Accelerator, asked: Asked, pixels: Pixels, control: Control | None, *, steps: bool
) -> AcceleratorResult:
    """Put one file to one accelerator, and decide about the answer."""
    try:
        answer = accelerator.run(asked.subject.path, asked.chip, pixels, steps=steps)
    except UnavailableError as error:
        return unavailable(asked, error)
    rows: tuple[OutputParity, ...] = ()
    if answer.outputs is not None:
        outputs = answer.outputs
        if asked.kind == "cpu":  # a stranger's may be integers
            outputs = scale_outputs(outputs, run_isolated(read_scales, asked.subject.path))
        # A stranger's scheme is not known: it gets the wider limit.
        limits = ACCELERATOR_TOLERANCES[asked.subject.precision or Precision.W8A8]
        rows = compare_outputs(asked.spec, asked.reference, name_outputs(outputs, asked.spec), limits)
    verdict, problems = decide_verdict(answer, rows, control, asked.subject.precision)
    return asked.answer(
        verdict,
        problems,
        tool=answer.tool,
        reference=asked.kind if rows else None,
        coverage=answer.coverage,
        outputs=rows,
        decided_by=name_deciding_output(asked.spec),
        steps=answer.steps,
        dram_bytes=answer.dram_bytes,
        estimated_seconds=answer.estimated_seconds,
    )


def decide_verdict(
    answer: Answer, rows: Sequence[OutputParity], control: Control | None, precision: Precision | None
) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict on an answer, and its reasons.

    That the accelerator answered, and not a CPU, is shown by its control; or by an answer that is further off than
    parity lets a CPU be.

    Args:
        answer: What the accelerator's tools gave.
        rows: How its outputs compare.
        control: The check that had to be found wrong.
        precision: The file's scheme; None where it is not known.
    """
    if answer.coverage is None or answer.coverage.accelerated == 0 or (answer.refused and not rows):
        return "refused", (answer.refused or "the accelerator takes no operator of it",)
    if not rows:
        return "estimated", ()
    problems = [f"{row.output}: {problem}" for row in rows for problem in row.problems]
    if answer.steps is not None and answer.steps.worst > ACCELERATOR_STEPS:
        problems.append(f"an operator alone is {answer.steps.worst} steps off, {ACCELERATOR_STEPS} may be")
    if problems:
        return "wrong", tuple(problems)
    worst = max(row.max_abs for row in rows)
    apart = precision is not None and worst > TOLERANCES[precision].max_abs
    if not apart and (control is None or not control.found):
        seen = "no control was run" if control is None else f"{control.what} gave {control.got}"
        return "unproved", (f"it is not shown that the accelerator answered: {seen}",)
    return "right", ()


def unavailable(asked: Asked, error: UnavailableError) -> AcceleratorResult:
    """Return the row of a file that could not be put to an accelerator."""
    return asked.answer("unavailable", (error.args[0].replace("\n  ", "; "),), tool="")


def _run_control(
    accelerator: Accelerator, chip: str, accept_license: bool, progress: Progress
) -> tuple[UnavailableError | None, Control | None]:
    try:
        accelerator.prepare(accept_license=accept_license, progress=progress)
        return None, accelerator.check_control(chip)
    except UnavailableError as error:
        return error, None


def find_references(
    folder: Path, subjects: Sequence[Subject], spec: ModelSpec, pixels: Pixels, checkpoint: Path | None
) -> dict[str, tuple[Outputs, ReferenceKind]]:
    """Return what each file should say: PyTorch's outputs, or, of a stranger, its own on this CPU."""
    computed: dict[Precision, Outputs] = {}
    if checkpoint is not None and any(subject.precision is not None for subject in subjects):
        computed = compute_references(folder, checkpoint, pixels)
    found: dict[str, tuple[Outputs, ReferenceKind]] = {}
    for subject in subjects:
        if subject.precision is None:
            found[subject.name] = run_isolated(run_on_cpu, subject.path, spec, pixels), "cpu"
        elif computed:
            found[subject.name] = computed[subject.precision], "pytorch"
        else:
            found[subject.name] = load_golden_outputs(folder, subject.precision), "golden"
    return found

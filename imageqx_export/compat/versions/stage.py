"""The stage: every file in every place that runs its format; what cannot be had says so, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

from imageqx_export.artifact import Format, ModelSpec, Outputs, Pixels, Precision
from imageqx_export.bench.emulator import CPUS
from imageqx_export.bundle.golden import load_golden_pixels
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.bundle.runtimes import AAR, DEFAULTS, RuntimeTable, RuntimeVerdict, parse_version
from imageqx_export.compat.stage import Subject, find_references, list_subjects, read_subject
from imageqx_export.compat.strangers import name_outputs
from imageqx_export.compat.versions.aar import LIBRARY, LIBRARY_ARM64, AarPlace
from imageqx_export.compat.versions.budget import RuntimeBudget
from imageqx_export.compat.versions.catalogue import choose
from imageqx_export.compat.versions.model import RuntimeReport, RuntimeResult
from imageqx_export.compat.versions.places import EmulatedPlace, HostPlace, Place, Reply, flatten
from imageqx_export.compat.versions.recorded import recall_rows
from imageqx_export.compat.versions.web import MACHINE, NAME, WebPlace
from imageqx_export.data.images import generate_images
from imageqx_export.errors import ArtifactError, ImageQXError, UnavailableError
from imageqx_export.parity.compare import TOLERANCES, OutputParity, compare_outputs
from imageqx_export.support.progress import Progress, silent

WORKERS = 2
"""Processes at a time."""
PHONES = ("cortex-a53", "cortex-a76")
"""The emulated phones that are asked where none is named."""
_RUN_ANYWHERE = (Format.ONNX, Format.TFLITE)
Keep = Callable[[RuntimeReport], object]
"""Called with a report of each row as it comes, from any thread, one at a time."""


@dataclass(frozen=True)
class Question:
    """One file in one place.

    Attributes:
        place: Where.
        subject: The file.
        spec: What its outputs mean.
        reference: What it should give.
    """

    place: Place
    subject: Subject
    spec: ModelSpec
    reference: Outputs


def check_runtimes(
    folder: Path,
    wanted: Sequence[str] = (),
    *,
    files: Sequence[Path] = (),
    precisions: Sequence[Precision] = (),
    checkpoint: Path | None = None,
    budget: RuntimeBudget | None = None,
    recorded: RuntimeTable | None = None,
    keep: Keep = lambda report: None,
    progress: Progress = silent,
) -> RuntimeReport:
    """Run files on versions of runtimes that apps ship, and compare what they give with PyTorch.

    Args:
        folder: The folder with ``manifest.json`` and ``golden/``.
        wanted: As :func:`~imageqx_export.compat.versions.catalogue.choose` reads them; empty for all.
        files: Files of anybody's with the same inputs and outputs, in place of the folder's; each is compared with what
            it says itself on this machine's CPU.
        precisions: Of the folder's files, these alone; none for all.
        checkpoint: The artifacts' own: PyTorch then gives what they are compared with, on the 64 pictures of parity;
            None takes the golden pictures, and what the export kept of them.
        budget: What must hold, beside the files' own ``min_runtime``; None for nothing, not even that.
        recorded: What is known already: of the very same bytes in the same place, nothing is asked again.
        keep: Called with a report of each row that was asked, as it comes; but of those that readers of packages give,
            which are decided about at the end.
        progress: Opens bars.

    Raises:
        ParityError: There is no readable manifest, or the checkpoint is another.
        MeasurementError: The golden pictures cannot be read.
        ArtifactError: What is known is of another number of pictures.
        UnknownNameError: There is no such runtime or version.
        UnavailableError: None of them can be had here.
    """
    places = list_places(wanted)
    manifest = read_manifest(folder)
    spec = manifest.artifacts[0].spec
    pixels = load_golden_pixels(folder) if checkpoint is None else generate_images(spec=spec)
    if recorded is not None:
        recorded.require_images(len(pixels))
    formats = {place.format for place in places}
    subjects = [read_subject(path) for path in files] or list_subjects(folder, manifest, precisions)
    subjects = [subject for subject in subjects if subject.format in formats]
    references = find_references(folder, subjects, spec, pixels, checkpoint)
    questions = [
        Question(place, subject, spec, references[subject.name][0])
        for place in places
        for subject in subjects
        if subject.format is place.format
    ]
    known = recall_rows(questions, recorded)
    asked = [question for question, row in zip(questions, known, strict=True) if row is None]
    source: Literal["golden", "generated"] = "golden" if checkpoint is None else "generated"

    def keep_row(row: RuntimeResult) -> None:
        keep(RuntimeReport(images=len(pixels), source=source, results=(row,)))

    answers = iter(_ask_all(asked, pixels, keep_row, progress))
    rows = compare_programs([next(answers) if row is None else row for row in known])
    if rows and all(row.verdict == "unavailable" for row in rows):
        raise UnavailableError("no runtime could be asked", got="; ".join(sorted({row.problem for row in rows})[:3]))
    if budget is not None:
        claims = {} if files else {str(a.path): a.spec.min_runtime for a in manifest.artifacts}
        rows = [row.model_copy(update={"must": _is_wanted(budget, claims.get(row.artifact, {}), row)}) for row in rows]
    return RuntimeReport(images=len(pixels), source=source, results=tuple(rows))


def _is_wanted(budget: RuntimeBudget, claims: Mapping[str, str | None], row: RuntimeResult) -> bool:
    """Whether a row must be a pass, by the budget or by what the file itself says of its oldest runtimes.

    An emulated phone, a browser or the AAR's library need not be there; what is there must be right.
    """
    optional = row.machine in (*CPUS, MACHINE) or row.runtime in AAR
    oldest = claims.get(row.runtime) if row.variant == DEFAULTS.get(row.runtime) else None
    claimed = oldest is not None and parse_version(row.version) >= parse_version(oldest)
    return (claimed or budget.covers(row)) and not (optional and row.verdict == "unavailable")


def list_places(wanted: Sequence[str]) -> list[Place]:
    """Return where files are asked, by the names of runtimes, versions, emulated phones, the browser and the AAR.

    Raises:
        UnknownNameError: There is no such name.
    """
    chosen = choose(wanted, CPUS, PHONES, (NAME, LIBRARY, LIBRARY_ARM64))
    places: list[Place] = [HostPlace(release, variant) for release in chosen.releases for variant in release.variants]
    places += [EmulatedPlace(phone, format) for phone in chosen.phones for format in _RUN_ANYWHERE]
    if NAME in chosen.others:
        places += [WebPlace(format) for format in _RUN_ANYWHERE]
    if LIBRARY in chosen.others:
        places.append(AarPlace())
    if LIBRARY_ARM64 in chosen.others:
        places += [AarPlace(phone) for phone in PHONES]
    return places


def _ask_all(
    questions: Sequence[Question], pixels: Pixels, keep: Callable[[RuntimeResult], None], progress: Progress
) -> list[RuntimeResult]:
    """Prepare each place that a question is for, put each question; two at a time."""
    threads, lock = ThreadPoolExecutor(WORKERS), Lock()
    places = list(dict.fromkeys(question.place for question in questions))
    try:
        with progress("making environments of runtimes", len(places)) as advance:
            troubles = dict(zip(places, threads.map(lambda place: _prepare(place, advance), places), strict=True))
        with progress("asking runtimes", len(questions)) as advance:

            def put(question: Question) -> RuntimeResult:
                row = answer(question, pixels, troubles[question.place])
                if not row.program and row.verdict != "unavailable":
                    with lock:
                        keep(row)
                advance()
                return row

            return list(threads.map(put, questions))
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


def _prepare(place: Place, advance: Callable[[], None]) -> str:
    """Return why a place cannot be had, or ""."""
    try:
        place.prepare()
        return ""
    except ImageQXError as error:
        return flatten(error)
    finally:
        advance()


def answer(question: Question, pixels: Pixels, trouble: str = "") -> RuntimeResult:
    """Put one file to one place, and decide about what it gives.

    Args:
        question: The file, and the place.
        pixels: uint8 [N,h,w,3].
        trouble: Why the place cannot be had; "" where it can.
    """
    reply = Reply(unavailable=trouble) if trouble else question.place.ask(question.subject.path, pixels)
    verdict, problem, outputs = decide_verdict(question, reply)
    quality = [row for row in outputs if row.decisions]
    place, subject = question.place, question.subject
    return RuntimeResult(
        artifact=subject.name,
        sha256=subject.sha256,
        runtime=place.runtime,
        version=place.version,
        variant=place.variant,
        machine=place.machine,
        app=place.app,
        verdict=verdict,
        max_abs=max((row.max_abs for row in outputs), default=None),
        decisions=sum(row.decisions for row in quality) if outputs else None,
        differing=sum(row.differing for row in quality) if outputs else None,
        load_seconds=reply.load_seconds,
        problem=problem,
        outputs=outputs,
        program=reply.program,
    )


def decide_verdict(question: Question, reply: Reply) -> tuple[RuntimeVerdict, str, tuple[OutputParity, ...]]:
    """Return the verdict on what a runtime said, why it is no pass, and how each output compares."""
    verdicts: tuple[RuntimeVerdict, ...] = ("unavailable", "refused", "failed")
    for verdict, text in zip(verdicts, (reply.unavailable, reply.refused, reply.failed), strict=True):
        if text:
            return verdict, text, ()
    if reply.program:
        return "read", "", ()
    if reply.outputs is None:
        return "failed", "no output came back", ()
    try:
        outputs = name_outputs(reply.outputs, question.spec)
    except ArtifactError as error:
        return "wrong", flatten(error), ()
    # A stranger's scheme is not known: it gets the wider limit.
    limits = TOLERANCES[question.subject.precision or Precision.W8A8]
    rows = compare_outputs(question.spec, question.reference, outputs, limits)
    problems = [f"{row.output}: {problem.partition(' — ')[0]}" for row in rows for problem in row.problems]
    if any(row.max_abs == float("inf") for row in rows):  # no number, and none that JSON holds
        return "wrong", "; ".join(problems), ()
    return ("wrong" if problems else "right"), "; ".join(problems), rows


def compare_programs(rows: Sequence[RuntimeResult]) -> list[RuntimeResult]:
    """Return the rows, those of readers that make another program of a package than the newest reader as wrong."""
    newest: dict[str, RuntimeResult] = {}
    for row in rows:
        if row.program and parse_version(row.version) >= parse_version(newest.get(row.artifact, row).version):
            newest[row.artifact] = row
    found = []
    for row in rows:
        if row.program and row.program != newest[row.artifact].program:
            problem = f"it reads another program than {row.runtime} {newest[row.artifact].version}"
            row = row.model_copy(update={"verdict": "wrong", "problem": problem})
        found.append(row)
    return found

"""What artifacts gave on versions of the runtimes that apps ship, kept beside the checkpoint, and the least that works.

``imageqx compat ARTIFACTS --record models/imageqx.runtimes.json`` writes it; an export reads from it the oldest version
of each runtime that a file may be given to.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from imageqx_export.errors import ArtifactError
from imageqx_export.support.files import write_aside
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import describe, read_model

SUFFIX = ".runtimes.json"

RuntimeVerdict = Literal["right", "read", "wrong", "refused", "failed", "unavailable"]
"""``right``: as PyTorch, within parity's tolerance. ``read``: a reader of packages makes the same program of it as its
newest version does; nothing was computed. ``refused``: the runtime does not open the file. ``failed``: it crashed, hung
or broke off. ``unavailable``: it cannot be had here, which says nothing of the file."""
HOLDS: tuple[RuntimeVerdict, ...] = ("right", "read")
"""The verdicts that are a pass."""
DEFAULTS = {"onnxruntime": "default", "tflite-runtime": "xnnpack", "litert": "xnnpack", "coremltools": "reader"}
"""Of each runtime the variant that an app gets when it asks for nothing."""
WEB = {"litertjs": "wasm", "onnxruntime-web": "wasm"}
"""The runtimes of a page, which brings its own version: no oldest one is looked for."""

AAR = {"tensorflow-lite": "default"}
"""The library in the AAR that android_demo pins: one version, for which tflite-runtime stands in ``min_runtime``."""

ORDER = {runtime: position for position, runtime in enumerate((*DEFAULTS, *WEB, *AAR))}
"""Where a runtime's rows stand in a record and in a table."""


class RuntimeRow(Frozen):
    """One file on one version of one runtime.

    Attributes:
        artifact: The file's name.
        sha256: Its digest.
        runtime: One of :data:`DEFAULTS`, :data:`WEB` or :data:`AAR`.
        version: Of the runtime, such as ``"1.17.3"``.
        variant: ``"default"``; of TFLite ``"xnnpack"`` (the Interpreter as it comes), ``"builtin"`` (without XNNPACK),
            ``"reference"`` (the reference kernels) or ``"compiled"`` (CompiledModel); ``"reader"`` of Core ML packages;
            ``"wasm"`` in a browser.
        machine: ``"x86-64"``, what is emulated, such as ``"cortex-a53"``, or ``"chromium"``.
        app: What an app depends on to have this, such as ``"onnxruntime-android:1.17.3"``; "" where there is nothing.
        verdict: See :data:`RuntimeVerdict`.
        max_abs: Largest |Δ| of any output; None where nothing was computed.
        decisions: How many decisions were taken; None likewise.
        differing: How many of them PyTorch took otherwise; None likewise.
        load_seconds: From the file to a model that can run; None where it did not open, or in an emulator.
        problem: Why it is no pass, in a sentence; "" where it is one.
    """

    artifact: str
    sha256: str
    runtime: str
    version: Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9}){0,5}$")]
    variant: str
    machine: str
    app: str
    verdict: RuntimeVerdict
    max_abs: float | None = None
    decisions: int | None = None
    differing: int | None = None
    load_seconds: float | None = None
    problem: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is a pass."""
        return self.verdict in HOLDS

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Runtime, version, variant and machine: where the file was run."""
        return self.runtime, self.version, self.variant, self.machine


class RuntimeTable(Frozen):
    """Artifacts × versions of runtimes.

    Attributes:
        images: How many pictures each file was asked about.
        rows: One a file, version, variant and machine.
    """

    schema_version: Literal[1] = 1
    images: int
    rows: tuple[RuntimeRow, ...]

    def require_images(self, images: int) -> None:
        """Refuse rows of another number of pictures: a table says one number of all.

        Raises:
            ArtifactError: It is another.
        """
        if images != self.images:
            raise ArtifactError(
                "a record is of one number of pictures",
                expected=f"{self.images}, as it says",
                got=f"{images} now",
                remedy="--record another file",
            )

    def find_minimum(self, artifact: str, runtime: str, variant: str | None = None) -> str | None:
        """Return the oldest version from which on an artifact is right, up to the newest that was asked.

        Args:
            artifact: The file's name.
            runtime: As of :class:`RuntimeRow`.
            variant: Likewise; None for the one of :data:`DEFAULTS`. All machines count.

        Returns:
            None where the newest version is no pass, or nothing is known; a version that cannot be had ends the search,
            as nothing is known of it.
        """
        wanted = variant or DEFAULTS.get(runtime)
        return find_oldest(
            row for row in self.rows if row.artifact == artifact and row.runtime == runtime and row.variant == wanted
        )

    def list_minimums(self, artifact: str) -> dict[str, str]:
        """Return :meth:`find_minimum` of every runtime, in its default variant, that takes an artifact at all.

        >>> row = dict(artifact="a.onnx", sha256="", runtime="onnxruntime", variant="default", machine="x86-64", app="")
        >>> seen = {"1.9.0": "refused", "1.15.1": "right", "1.20.1": "right"}
        >>> rows = [RuntimeRow(version=version, verdict=verdict, **row) for version, verdict in seen.items()]
        >>> RuntimeTable(images=12, rows=rows).list_minimums("a.onnx")
        {'onnxruntime': '1.15.1'}
        """
        found = {runtime: self.find_minimum(artifact, runtime) for runtime in DEFAULTS}
        return {runtime: version for runtime, version in found.items() if version is not None}


def find_oldest(rows: Iterable[RuntimeRow]) -> str | None:
    """Return the oldest version of which, and of all newer ones, every row is a pass; None where the newest is none."""
    oldest = None
    holds: dict[str, bool] = {}
    for row in rows:
        holds[row.version] = holds.get(row.version, True) and row.holds
    for version in sorted(holds, key=parse_version, reverse=True):
        if not holds[version]:
            break
        oldest = version
    return oldest


def parse_version(text: str) -> tuple[int, ...]:
    """Return a version's numbers, so that versions can be put in order.

    >>> parse_version("1.9.0") < parse_version("1.17.3")
    True
    """
    return tuple(int(part) for part in text.split("."))


def read_runtimes_beside(checkpoint: Path) -> RuntimeTable | None:
    """Read the table beside a checkpoint, ``<name>.runtimes.json``; None where there is none.

    Raises:
        ArtifactError: It cannot be read.
    """
    path = checkpoint.with_suffix(SUFFIX)
    return read_runtimes(path) if path.exists() else None


def read_runtimes(path: Path) -> RuntimeTable:
    """Read a table.

    Raises:
        ArtifactError: It cannot be read.
    """
    try:
        return read_model(path, RuntimeTable)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            "what runtimes gave cannot be read",
            where=path,
            got=describe(error),
            remedy=f"imageqx compat artifacts/imageqx --record {path}",
        ) from error


def record_runtimes(path: Path, table: RuntimeTable) -> RuntimeTable:
    """Write a table over what a file has of the same files in the same places; what it says of others stays.

    Rows of a file's older bytes go: nothing need be said of them any more.

    Args:
        path: The table's file; made where there is none.
        table: What was found now.

    Raises:
        ArtifactError: The file is there and cannot be read, or is of another number of pictures.
    """
    old: tuple[RuntimeRow, ...] = ()
    if path.exists():
        known = read_runtimes(path)
        known.require_images(table.images)
        old = known.rows
    named = {row.artifact: row.sha256 for row in table.rows}
    asked = {(row.artifact, row.place) for row in table.rows}
    kept = [
        row
        for row in old
        if named.get(row.artifact, row.sha256) == row.sha256 and (row.artifact, row.place) not in asked
    ]
    rows = sorted(
        (*kept, *table.rows),
        key=lambda row: (
            row.artifact,
            ORDER.get(row.runtime, len(ORDER)),
            parse_version(row.version),
            row.machine,
            row.variant,
        ),
    )
    merged = table.model_copy(update={"rows": tuple(rows)})
    with write_aside(path) as aside:
        lines = ",\n  ".join(row.model_dump_json(exclude_defaults=True) for row in rows)
        head = f'{{"schema_version": {merged.schema_version}, "images": {merged.images}, "rows": [\n  '
        aside.write_text(f"{head}{lines}\n]}}\n")
    return merged

"""The lint stage: each file is read in a process of its own, with bounds, and every rule is put to it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from imageqx_export.errors import ArtifactError, ImageQXError, UnavailableError
from imageqx_export.lint.model import FileFindings, Graph, LintReport, apply_rule
from imageqx_export.lint.rules import RULES
from imageqx_export.support.files import count_bytes, digest
from imageqx_export.support.processes import quiet, run_isolated, start_pool
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.recall import Form, hold_model, recall_each
from imageqx_export.support.store import NO_STORE, Store

READERS = {
    ".onnx": "onnx",
    ".tflite": "tflite",
    ".mlpackage": "mlpackage",
    ".so": "library",
    ".aar": "library",
    ".apk": "library",
}
LARGEST = 2 * 2**30
"""Bytes of the largest file that is read: protobuf takes no larger one."""
MEMORY, SECONDS = 16 * 2**30, 300
"""Address space and processor time of a reader, where the system can bound them: the file is a stranger's."""
_WORST = ("error", "warning", "note")
_FINDINGS = hold_model(FileFindings)


def lint_files(paths: Sequence[Path], progress: Progress = silent) -> LintReport:
    """Read files and put the rules to them.

    Args:
        paths: ``.onnx``, ``.tflite``, ``.mlpackage``, ``.so``, ``.aar`` or ``.apk`` files; folders stand for those
            of these in them.
        progress: Opens a bar.

    Raises:
        ArtifactError: There is no such file.
        UnavailableError: A format's library is not installed.
    """
    files = [file for path in paths for file in list_files(path)]
    if not files:
        raise ArtifactError("no files to look at", where=str(paths[0]) if paths else None, expected=", ".join(READERS))
    with start_pool() as threads, progress("linting", len(files)) as advance:
        jobs = [threads.submit(lint_file, file) for file in files]
        found = []
        for job in jobs:
            found.append(job.result())
            advance()
    return LintReport(files=tuple(found))


def lint_own_files(paths: Sequence[Path], progress: Progress = silent, *, store: Store = NO_STORE) -> LintReport:
    """Put the rules to files that this program has just written: those of one kind are read in one process.

    Args:
        paths: As for :func:`lint_files`, of which each file has a process of its own; that is what files get here too
            where the one for all of their kind ends badly.
        progress: Opens a bar.
        store: Where findings are kept.
    """
    found: dict[Path, FileFindings] = {}
    kinds = {kind: [path for path in paths if READERS[path.suffix] == kind] for kind in READERS.values()}
    with start_pool() as threads, progress("linting", len(paths)) as advance:
        jobs = [threads.submit(_recall_findings, store, kind, some) for kind, some in kinds.items() if some]
        for job in jobs:
            for row in job.result():
                found[row.path] = row
                advance()
    return LintReport(files=tuple(found[path] for path in paths))


def _recall_findings(store: Store, kind: str, paths: Sequence[Path]) -> list[FileFindings]:
    rows = recall_each(
        store,
        paths,
        lambda path: store.make_key("lint", file=digest(path), suffix=path.suffix),
        lambda missing: _lint_together(kind, missing),
        Form(lambda row: {} if row.unread is not None else _FINDINGS.write(row), _FINDINGS.read),
    )
    return [row.model_copy(update={"path": path}) for row, path in zip(rows, paths, strict=True)]


def _lint_together(kind: str, paths: Sequence[Path]) -> list[FileFindings]:
    try:
        graphs = run_isolated(_read_each, kind, paths)
        return [check_graph(path, graph) for path, graph in zip(paths, graphs, strict=True)]
    except UnavailableError:
        raise
    except Exception:  # which file's it is, and in what words it is told, is for a process each to say
        return [lint_file(path) for path in paths]


def _read_each(kind: str, paths: Sequence[Path]) -> list[Graph]:
    return [read_bounded(kind, path) for path in paths]


def list_files(path: Path) -> list[Path]:
    """Return a file, or those below a folder that can be read.

    Raises:
        ArtifactError: There is no such file, or it is of an unknown kind.
    """
    if not path.exists():
        raise ArtifactError("no such file", where=path, remedy="see its name")
    if path.suffix in READERS:
        return [path]
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in READERS)
    raise ArtifactError("not a file to look at", where=path, expected=", ".join(READERS))


def lint_file(path: Path) -> FileFindings:
    """Read one file in a process of its own and put the rules to it; what cannot be read says why.

    Raises:
        UnavailableError: The format's library is not installed.
    """
    kind = READERS[path.suffix]
    if count_bytes(path) > LARGEST:
        return FileFindings(path=path, kind=kind, operators=0, unread=f"larger than {LARGEST:,} bytes")
    try:
        graph = run_isolated(read_bounded, kind, path)
    except UnavailableError:
        raise
    except ImageQXError as error:
        return FileFindings(path=path, kind=kind, operators=0, unread=str(error).replace("\n", ";"))
    except Exception as error:  # a reader of a stranger's file may raise anything, out of memory included
        return FileFindings(path=path, kind=kind, operators=0, unread=f"{type(error).__name__}: {error}")
    return check_graph(path, graph)


def check_graph(path: Path, graph: Graph) -> FileFindings:
    """Put every rule to a graph."""
    found = [finding for rule in RULES if (finding := apply_rule(rule, graph)) is not None]
    found.sort(key=lambda finding: _WORST.index(finding.level))
    return FileFindings(path=path, kind=graph.kind, operators=len(graph.operators), findings=tuple(found))


def read_bounded(kind: str, path: Path) -> Graph:
    """Read a file in this process, whose memory and time are bounded from now on.

    Raises:
        ArtifactError: It cannot be read.
        UnavailableError: The format's library is not installed.
    """
    try:
        import resource
    except ImportError:  # not on Windows
        pass
    else:
        for limit, value in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS)):
            hard = resource.getrlimit(limit)[1]
            resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
    with quiet():
        graph: Graph = importlib.import_module(f"imageqx_export.lint.readers.{kind}").read(path)
    return graph

"""The lint stage: each file is read in a process of its own, with bounds, and every rule is put to it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from imageqx_export.errors import ArtifactError, ImageQXError, UnavailableError
from imageqx_export.lint.model import FileFindings, Graph, LintReport, apply_rule
from imageqx_export.lint.rules import RULES
from imageqx_export.support.files import count_bytes
from imageqx_export.support.processes import quiet, run_isolated, start_pool
from imageqx_export.support.progress import Progress, silent

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

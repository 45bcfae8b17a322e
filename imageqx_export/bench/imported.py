"""Read the run that an app on a phone measured and shared."""

from __future__ import annotations

from pathlib import Path

from imageqx_export.bench.history import SCHEMA_VERSION, load_history
from imageqx_export.bench.model import BenchRun
from imageqx_export.bench.targets import KINDS
from imageqx_export.errors import MeasurementError
from imageqx_export.support.untrusted import describe, parse_json, read_bytes

MOST_BYTES = 16 * 2**20
"""Of a shared run: some hundred thousand samples."""

_EXPECTED = "what the performance screen of android_demo or ios_demo shares"


def read_shared_run(path: Path, history: Path | None = None) -> BenchRun:
    """Read a run that an app shared.

    Args:
        path: The app's JSON file.
        history: Where the run is about to go; it is refused if it is there already.

    Raises:
        MeasurementError: There is no such file, it is no run, says that it was measured on a target of this command's
            own, has nothing measured, or is in the history.
    """
    try:
        content = read_bytes(path, MOST_BYTES)
        run = _parse_run(content)
    except FileNotFoundError as error:
        raise MeasurementError("no such file to import", where=path, expected=_EXPECTED) from error
    except (OSError, ValueError) as error:
        raise MeasurementError(
            "the file to import is not a run", where=path, expected=_EXPECTED, got=describe(error)
        ) from error
    if run.target.partition(":")[0] in KINDS:
        raise MeasurementError(
            "the run says that this command measured it",
            where=path,
            expected="an app's target, such as android-app",
            got=run.target,
        )
    if not any(m.samples or m.unavailable for m in run.measurements):
        raise MeasurementError("nothing was measured in the run", where=path, remedy="measure again in the app")
    if history is not None and history.exists() and run.run_id in {one.run_id for one in load_history(history)}:
        raise MeasurementError("the run is in the history already", where=history, got=run.run_id)
    return run


def _parse_run(content: bytes) -> BenchRun:
    body = parse_json(content)
    version = body.get("schema_version") if isinstance(body, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(f"schema_version {version}, not {SCHEMA_VERSION}")
    return BenchRun.model_validate_json(content)

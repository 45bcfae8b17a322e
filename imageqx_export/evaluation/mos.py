"""How well a model's P(poor) goes with people's scores of the same photos: mean opinion scores, higher is better.

The scores are a table, ``.csv`` or ``.parquet``: ``file, score``. Two numbers say how well: Spearman's rank correlation
of P(poor) with the score, −1 at best, with a percentile bootstrap; and the AUC with which P(poor) tells the photos
whose score lies below a limit from the others, with DeLong's interval.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export.data.photos import read_photos
from imageqx_export.data.tables import read_table
from imageqx_export.decisions import POOR, QUALITY
from imageqx_export.errors import DatasetError, PhotoError
from imageqx_export.evaluation.grids import Grid, format_cell
from imageqx_export.evaluation.intervals import SEED, UNMEASURED, Floats, Measure, auc, percentile
from imageqx_export.evaluation.report import describe_measures
from imageqx_export.evaluation.running import CHUNK
from imageqx_export.runtimes import load_photo_model
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.files import has_file
from imageqx_export.support.folders import Layout, stage_folder
from imageqx_export.support.progress import Progress, silent

COLUMNS = ("file", "score")
FILE = "mos.json"
LAYOUT = Layout.of_names("a comparison with people's scores", (FILE,))
_ROUNDS = 1000
_FEWEST = 3


@dataclass(frozen=True)
class OpinionScores:
    """How well P(poor) goes with people's scores.

    Args:
        model: What to call it.
        table: The scores' file.
        photos: How many.
        limit: The score below which a photo counts as poor.
        poor: How many do.
        auc: Of P(poor), that it is higher on those.
        spearman: Rank correlation of P(poor) with the score, −1 at best.
    """

    model: str
    table: str
    photos: int
    limit: float
    poor: int
    auc: Measure
    spearman: Measure


def compare_file(
    file: Path, table: Path, images: Path, out: Path, *, limit: float | None = None, progress: Progress = silent
) -> OpinionScores:
    """Run a file over scored photos, compare, and write ``mos.json``.

    Args:
        file: A checkpoint, .onnx, .tflite or .mlpackage.
        table: ``file, score``.
        images: The folder of the table's photos.
        out: The folder to write; an earlier comparison there is replaced.
        limit: The score below which a photo counts as poor; None for the scores' median.
        progress: Opens bars.

    Raises:
        DatasetError: The table cannot be used, names photos that are not there, or has too few.
        ArtifactError: The file cannot be run.
        ImageQXError: ``out`` has something else in it.
    """
    LAYOUT.check_place(out)
    scores = read_scores(table, images)
    runtime = load_photo_model(file)
    poor = _predict(runtime, [images / name for name in scores], progress)
    found = compare_scores(poor, np.array(list(scores.values())), model=file.name, table=table.name, limit=limit)
    with stage_folder(out, LAYOUT) as staging:
        (staging.path / FILE).write_text(json.dumps(to_json(found), indent=2) + "\n", encoding="utf-8")
        staging.publish()
    return found


def read_scores(table: Path, images: Path) -> dict[str, float]:
    """Return the scores of a table by the photo's name, relative to ``images``.

    Raises:
        DatasetError: There is no such table, a row is bad, or a photo is not there; the message names the first.
    """
    rows, problems = read_table(table, COLUMNS, others=True)
    if problems:
        raise DatasetError("the table of scores cannot be used", where=table, got=str(problems[0]))
    scores: dict[str, float] = {}
    for line, row in rows:
        try:
            score = float(row["score"])
        except ValueError:
            score = math.nan
        if not math.isfinite(score) or row["file"] in scores:
            raise DatasetError(
                "not a score, or a second one of the same photo",
                where=f"{table}: line {line}",
                expected="a number, one row a photo",
                got=f"{row['file']}, {row['score'] or 'nothing'}",
            )
        scores[row["file"]] = score
    absent = [name for name in scores if not has_file(images, name)]
    if absent or not scores:
        raise DatasetError(
            "the table names photos that are not there" if absent else "the table of scores has no row",
            where=table,
            expected=f"names relative to {images}",
            got=f"{len(absent)} of {len(scores)} absent, such as {absent[0]}" if absent else "no row",
            remedy="give the folder of the table's photos as --images",
        )
    return scores


def _predict(runtime: Runtime, files: list[Path], progress: Progress) -> Floats:
    """Return P(poor) of each photo, float64 [N]."""
    spec = runtime.spec
    found: list[Floats] = []
    chunk: list[Any] = []
    for number, photo in enumerate(read_photos(files, progress, size=spec.preprocessing)):
        if isinstance(photo, PhotoError):
            raise photo
        chunk.append(photo)
        if len(chunk) == CHUNK or number == len(files) - 1:
            outputs = runtime.run(np.stack(chunk))
            chunk = []
            if spec.binary is not None:
                found.append(1 - outputs[spec.binary.output][:, 0].astype(np.float64))
            else:
                found.append(outputs[QUALITY][:, spec.labels.index(POOR)].astype(np.float64))
    return np.concatenate(found)


def compare_scores(
    poor: Floats, scores: Floats, *, model: str, table: str, limit: float | None = None
) -> OpinionScores:
    """Compare P(poor) with people's scores.

    Args:
        poor: P(poor), [N].
        scores: Higher is better, [N].
        model: What to call the model.
        table: What to call the scores.
        limit: The score below which a photo counts as poor; None for the median.

    Raises:
        DatasetError: There are fewer than three photos.
    """
    if len(scores) < _FEWEST:
        raise DatasetError("too few scored photos", where=table, expected=f"{_FEWEST} at least", got=str(len(scores)))
    cut = float(np.median(scores)) if limit is None else limit
    bad = scores < cut
    return OpinionScores(
        model, table, len(scores), cut, int(bad.sum()), auc(bad, poor), _measure_spearman(poor, scores)
    )


def _measure_spearman(first: Floats, second: Floats) -> Measure:
    from scipy.stats import rankdata

    def correlate(rows: Any) -> float:
        a, b = rankdata(first[rows]), rankdata(second[rows])
        if a.std() == 0 or b.std() == 0:
            return math.nan
        return float(np.corrcoef(a, b)[0, 1])

    value = correlate(slice(None))
    if math.isnan(value):
        return UNMEASURED
    rng = np.random.default_rng(SEED)
    count = len(first)
    return Measure(value, percentile(np.array([correlate(rng.integers(0, count, count)) for _ in range(_ROUNDS)])))


def to_json(found: OpinionScores) -> dict[str, Any]:
    """Return a comparison as JSON-able values; a measure ``x`` has its 95 % interval beside it as ``x_ci``."""
    facts = {"model": found.model, "table": found.table, "photos": found.photos}
    counted = {"poor_below": found.limit, "poor": found.poor}
    return {
        "schema_version": 1,
        **facts,
        **counted,
        **describe_measures({"auc": found.auc, "spearman": found.spearman}),
    }


def build_table(found: OpinionScores) -> Grid:
    """Return a comparison as a table."""
    rows = (
        (f"AUC of P(poor): score below {found.limit:g} ({found.poor:,} photos)", format_cell(found.auc)),
        ("rank correlation of P(poor) with the score (−1 at best)", format_cell(found.spearman)),
    )
    return Grid("Beside people's scores", ("", "value"), rows)

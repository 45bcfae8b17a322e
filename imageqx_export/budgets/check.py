"""Compare artifacts with their budgets: bytes, and what quantization costs on held-out samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from imageqx_export.artifact import Artifact, Format, Manifest, ModelSpec, Precision
from imageqx_export.budgets.costs import measure_costs
from imageqx_export.budgets.limits import Budgets, size_limit
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.settings import choose_settings
from imageqx_export.data.vocabulary import can_measure
from imageqx_export.errors import ArtifactError, ImageQXError
from imageqx_export.evaluation.accuracy_loss import Accuracy, Budget, problems
from imageqx_export.input_form import read_form
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.store import NO_STORE, Store

ADVICE = {
    "size": "imageqx report --artifacts with this folder shows its bytes by tensor",
    "accuracy": "imageqx quantize --analyze --precision {precision}: which layers cost it, and which to keep float",
    "run": "imageqx parity with this folder",
}
# A point of a reason's F1 takes thousands of samples to see, and all formats hold the same quantized graph, to which
# parity holds each: 99.9 % of all decisions. So a precision is run once, through the first of these that it has.
QUICK = (Format.ONNX, Format.TFLITE)


class ArtifactBudget(Frozen):
    """One artifact beside its budgets.

    Args:
        path: Its path in the manifest.
        precision: Its numeric scheme.
        size_bytes: Its bytes.
        size_limit: The most that it may have, or None.
        budget: What it may cost against fp32, or None.
        accuracy: What it does cost, or None where there is no budget or it cannot be run.
        measured_on: The artifact of the same quantized graph that was run.
        problems: Every budget that does not hold, in words with the next command; empty is a pass.
    """

    path: str
    precision: Precision
    size_bytes: int
    size_limit: int | None
    budget: Budget | None = None
    accuracy: Accuracy | None = None
    measured_on: str | None = None
    problems: tuple[str, ...] = ()


class BudgetReport(Frozen):
    """A whole export beside its budgets.

    Args:
        samples: How many samples quantization was measured on; 0 where nothing quantized was written.
        source: Where they come from, in words.
        reference: The float32 file that it was measured against, or None.
        artifacts: One row each, in the manifest's order.
    """

    samples: int
    source: str
    reference: str | None
    artifacts: tuple[ArtifactBudget, ...]

    @property
    def passed(self) -> bool:
        """Whether every budget holds."""
        return not any(row.problems for row in self.artifacts)


def refuse_unmeasurable(budgets: Budgets | None, precisions: Sequence[Precision], spec: ModelSpec) -> None:
    """Refuse limits on what quantization costs for a network on which that cannot be measured.

    Args:
        budgets: The limits; None for none.
        precisions: What shall be written.
        spec: The network's ModelSpec.

    Raises:
        ArtifactError: A precision has such a limit, and raters are not asked for the network's labels or reasons.
    """
    settings = choose_settings(spec)
    limited = [one for one in precisions if budgets is not None and budgets.cost(one) is not None]
    if not limited or can_measure(settings.labels, settings.reasons):
        return
    raise ArtifactError(
        f"what {' and '.join(limited)} may cost cannot be measured: there are no photos with this network's labels and "
        "reasons",
        where=spec.name,
        expected="budgets of bytes alone",
        got=f"labels {', '.join(spec.labels)}; reasons {', '.join(spec.reasons)}",
        remedy="imageqx export with the same options and --budgets FILE, in which are the lines 'schema_version = 1', "
        "'[size_bytes]' and, for example, '\"*_w8.*\" = 5000000'; or --precisions fp32,fp16",
    )


def check_budgets(
    folder: Path,
    manifest: Manifest,
    checkpoint_path: Path,
    budgets: Budgets,
    photos: LabelledPhotos | None = None,
    *,
    store: Store = NO_STORE,
    progress: Progress = silent,
) -> BudgetReport:
    """Compare a folder's artifacts with their budgets.

    What quantization costs is measured through one artifact of each precision, against an fp32 artifact (the checkpoint
    itself where there is none): parity has shown that they say the same.

    Args:
        folder: The folder that the manifest's paths are relative to.
        manifest: The artifacts, which parity has passed.
        checkpoint_path: The float32 weights.
        budgets: The limits.
        photos: What to measure on; None for as many samples of the test side of synthetic scenes as the budgets say.
        store: Where what was measured is kept.
        progress: Opens bars.

    Raises:
        ArtifactError: The float32 file cannot be run.
    """
    limits = budgets.accuracy
    wanted = [artifact for artifact in manifest.artifacts if budgets.cost(artifact.precision) is not None]
    if limits is None or not wanted:
        rows = tuple(_compare_artifact(artifact, None, None, budgets) for artifact in manifest.artifacts)
        return BudgetReport(samples=0, source="", reference=None, artifacts=rows)
    reference = _choose_reference(folder, manifest, checkpoint_path)
    through = {str(artifact.path): _choose_alike(artifact, manifest) for artifact in wanted}
    measured = measure_costs(
        folder,
        reference,
        list({one.path: one for one in through.values()}.values()),
        limits.samples,
        photos,
        store,
        progress,
    )
    rows = tuple(_compare_artifact(a, through.get(str(a.path)), measured.found, budgets) for a in manifest.artifacts)
    return BudgetReport(samples=measured.samples, source=measured.source, reference=reference.name, artifacts=rows)


def _choose_reference(folder: Path, manifest: Manifest, checkpoint_path: Path) -> Path:
    floats = {a.format: folder / a.path for a in reversed(manifest.artifacts) if a.precision is Precision.FP32}
    return next((floats[format] for format in QUICK if format in floats), checkpoint_path)


def _choose_alike(artifact: Artifact, manifest: Manifest) -> Artifact:
    """Return the artifact that is run for this one's figures."""
    alike = {a.format: a for a in reversed(manifest.artifacts) if a.precision is artifact.precision}
    return next((alike[format] for format in QUICK if format in alike), artifact)


def _compare_artifact(
    artifact: Artifact,
    through: Artifact | None,
    found: Mapping[str, Accuracy | ImageQXError] | None,
    budgets: Budgets,
) -> ArtifactBudget:
    name, precision = str(artifact.path), artifact.precision
    # Whatever a file is fed, its weights weigh the same.
    plain = artifact.path.name.removesuffix(artifact.format.suffix).removesuffix(read_form(artifact.spec).suffix)
    limit = size_limit(plain + artifact.format.suffix, budgets.size_bytes)
    over = []
    if limit is not None and artifact.size_bytes > limit:
        over.append(_explain("size", f"{artifact.size_bytes:,} bytes > {limit:,}", precision))
    row = ArtifactBudget(
        path=name, precision=precision, size_bytes=artifact.size_bytes, size_limit=limit, problems=tuple(over)
    )
    budget = budgets.cost(precision)
    if budget is None or through is None or found is None:
        return row
    cost = found[str(through.path)]
    if isinstance(cost, Accuracy):
        over += [_explain("accuracy", text, precision) for text in problems(cost, budget)]
    else:
        over.append(_explain("run", " ".join(str(cost).split()), precision))
    return row.model_copy(
        update={
            "budget": budget,
            "accuracy": cost if isinstance(cost, Accuracy) else None,
            "measured_on": str(through.path),
            "problems": tuple(over),
        }
    )


def _explain(kind: str, text: str, precision: Precision) -> str:
    return f"{text} — try: {ADVICE[kind].format(precision=precision)}"

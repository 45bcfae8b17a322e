"""Quantize a checkpoint, say what it costs on held-out photos, and, if asked, which layers cost it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imageqx_export.artifact import ModelSpec, Precision
from imageqx_export.data.images import add_clean_photos, gather_calibration_images
from imageqx_export.data.labels import LabelledPhotos, Split
from imageqx_export.data.settings import choose_settings
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.data.vocabulary import can_measure, choose_reasons
from imageqx_export.evaluation.accuracy_loss import Accuracy, Budget, accuracy, problems
from imageqx_export.quantize.plan import make_recipe
from imageqx_export.quantize.recipe import Recipe, write_recipe
from imageqx_export.quantize.sensitivity.cache import NO_CACHE, Cache
from imageqx_export.quantize.sensitivity.float_ops import keep_in_float
from imageqx_export.quantize.sensitivity.jitter import DRAWS, SEED, SPREAD, measure_jittered_accuracy
from imageqx_export.quantize.sensitivity.layers import LayerLoss, Subject, measure_layers
from imageqx_export.quantize.sensitivity.search import SearchResult, find_fewest_floats
from imageqx_export.support.files import check_places
from imageqx_export.support.libraries import require
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network


@dataclass(frozen=True)
class Request:
    """A request to quantize: what, and what to measure.

    Args:
        checkpoint: The trained weights.
        precision: ``w8`` or ``w8a8``.
        out: The recipe to write.
        budget: What it may cost against the float network; None for no limit.
        budget_asked: Whether the budget was asked for; one that was not holds only where something can be measured.
        calibration: The user's photos to take ranges from; None for synthetic ones and, of ``photos``, clean ones.
        photos: Photos whose held-out sides are measured on; None for synthetic ones.
        samples: How many test samples to measure on.
        analysis: How many validation samples to analyse on; None for no analysis.
        chart: The analysis' bar chart to write, or None.
        jobs: Processes for the analysis.
    """

    checkpoint: Path
    precision: Precision
    out: Path
    budget: Budget | None = None
    budget_asked: bool = True
    calibration: Path | None = None
    photos: Path | None = None
    samples: int = 1000
    analysis: int | None = None
    chart: Path | None = None
    jobs: int = 1

    @property
    def scheme(self) -> Literal["w8", "w8a8"]:
        """The precision as a recipe calls it."""
        return "w8" if self.precision is Precision.W8 else "w8a8"


@dataclass(frozen=True)
class Analysis:
    """The cost of each layer, and the search's result.

    Args:
        photos: How many it was measured on.
        source: Where they come from.
        layers: A layer each, in the graph's order.
        search: Which layers stay float.
    """

    photos: int
    source: str
    layers: tuple[LayerLoss, ...]
    search: SearchResult


@dataclass(frozen=True)
class QuantizeResult:
    """A recipe that was written, and what it costs.

    Args:
        request: What was asked for.
        recipe: What was written.
        accuracy: On the test samples; None of a network whose labels or reasons raters are not asked for.
        source: Where they come from; empty where nothing was measured.
        problems: What is over the budget.
        analysis: Which layers cost it, if asked.
    """

    request: Request
    recipe: Recipe
    accuracy: Accuracy | None
    source: str
    problems: tuple[str, ...]
    analysis: Analysis | None


def quantize(request: Request, *, cache: Cache = NO_CACHE, progress: Progress = silent) -> QuantizeResult:
    """Choose a recipe, write it, and measure it against the float network, where there are photos to measure it on.

    Args:
        request: What to do.
        cache: Where the analysis keeps its figures, to go on from.
        progress: Opens bars.

    Raises:
        CheckpointError: The checkpoint cannot be trusted.
        ArtifactError: An analysis or a budget was asked for of a network whose labels or reasons raters are not asked.
        DatasetError: Photos are too few, or cannot be used.
        UnavailableError: A chart was asked for and matplotlib is not installed.
        OSError: What it writes cannot be written, which is found out first.
    """
    from imageqx_export.checkpoint import load_checkpoint

    if request.chart is not None:
        require("matplotlib")
    check_places(request.out, request.chart)
    checkpoint, network = load_checkpoint(request.checkpoint)
    measured = _decide_measured(request, checkpoint.spec)  # before calibration, which takes minutes
    recipe = _make_recipe(request, network, checkpoint.sha256, progress)
    analysis = None
    if request.analysis is not None:
        photos = _read_held_out("val", request, request.analysis, checkpoint.spec, progress)
        subject = Subject(network, recipe, photos, checkpoint.spec)
        recipe, analysis = analyse(subject, request.budget, cache=cache, jobs=request.jobs, progress=progress)
        if request.chart is not None:
            from imageqx_export.quantize.sensitivity.chart import draw

            draw(analysis.layers, request.chart, title=f"{checkpoint.path.name}, {request.precision}, one layer alone")
    write_recipe(request.out, recipe)
    if not measured:
        return QuantizeResult(request, recipe, None, "", (), None)
    photos = _read_held_out("test", request, request.samples, checkpoint.spec, progress)
    found = measure(Subject(network, recipe, photos, checkpoint.spec), progress=progress)
    return QuantizeResult(request, recipe, found, photos.source, problems(found, request.budget), analysis)


def measure(subject: Subject, *, progress: Progress = silent) -> Accuracy:
    """Return what a recipe costs on photos, against the float network."""
    from imageqx_export.quantize.graph.simulate import simulate

    program = subject.capture_program()
    reference = simulate(program, None, subject.photos.pixels, progress=progress)
    quantized = simulate(program, subject.recipe, subject.photos.pixels, progress=progress)
    return accuracy(reference, quantized, subject.photos, subject.spec)


def analyse(
    subject: Subject, budget: Budget | None, *, cache: Cache = NO_CACHE, jobs: int = 1, progress: Progress = silent
) -> tuple[Recipe, Analysis]:
    """Measure every layer alone, and move the fewest to float with which the budget holds.

    The photos of an analysis are few, so the search holds a set of layers to the budget with
    :func:`~imageqx_export.quantize.sensitivity.jitter.measure_jittered_accuracy`.

    Args:
        subject: The recipe of all layers, and photos.
        budget: What the recipe may cost; None for no limit, which leaves every layer as it is.
        cache: Where figures are kept, to go on from.
        jobs: Processes for the layers.
        progress: Opens bars.

    Returns:
        The recipe with those layers in float, and the figures behind it.
    """
    from imageqx_export.quantize.graph.simulate import simulate

    rows = {row.layer: row for row in measure_layers(subject, cache=cache, jobs=jobs, progress=progress)}
    recipe, pixels = subject.recipe, subject.photos.pixels
    program = subject.capture_program()
    reference = simulate(program, None, pixels, progress=progress)

    def floating(floats: frozenset[str]) -> Recipe:
        chosen = [row for name, row in rows.items() if name in floats]
        return keep_in_float(
            program, recipe, {op: explain(row, len(pixels)) for row in chosen for op in row.operations}
        )

    def holds(floats: frozenset[str]) -> bool:
        def measure_trial() -> Accuracy:
            outputs = simulate(program, floating(floats), pixels, progress=progress)
            return measure_jittered_accuracy(reference, outputs, subject.photos, subject.spec)

        key = subject.make_key("float", sorted(floats), SPREAD, DRAWS, SEED)
        return not problems(cache.get_or_make(key, Accuracy, measure_trial), budget)

    order = sorted(rows, key=lambda name: -rows[name].mean_abs)
    found = find_fewest_floats(order, holds)
    analysis = Analysis(len(pixels), subject.photos.source, tuple(rows.values()), found)
    return floating(frozenset(found.floats)), analysis


def explain(row: LayerLoss, photos: int) -> str:
    """Say with figures why a layer stays float."""
    return (
        f"int8 in {row.layer} alone moves the labels' probabilities by {row.mean_abs:.4f} on average and costs "
        f"{row.quality:.2f} points of macro-F1 ({row.sqnr_db:.1f} dB; {photos} photos)"
    )


def _decide_measured(request: Request, spec: ModelSpec) -> bool:
    """Return whether there can be labelled photos, or refuse what needs them."""
    settings = choose_settings(spec)
    if request.analysis is not None or (request.budget is not None and request.budget_asked):
        choose_reasons(settings.labels, settings.reasons)
    return can_measure(settings.labels, settings.reasons)


def _make_recipe(request: Request, network: Network, sha256: str, progress: Progress) -> Recipe:
    found = gather_calibration_images(request.calibration, spec=network.spec, progress=progress)
    if request.calibration is None and request.precision is Precision.W8A8:
        found = add_clean_photos(found, request.photos, spec=network.spec, progress=progress)
    return make_recipe(network, sha256, request.scheme, *found, progress=progress)


def _read_held_out(split: Split, request: Request, count: int, spec: ModelSpec, progress: Progress) -> LabelledPhotos:
    return load_held_out(split, Sources(request.photos), count, settings=choose_settings(spec), progress=progress)

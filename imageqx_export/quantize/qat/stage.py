"""The fine-tuning stage: a checkpoint and its recipe in; weights that quantize better, their recipe and figures out."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from imageqx_export.artifact import Checkpoint, Precision
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.data.images import add_clean_photos, gather_calibration_images
from imageqx_export.data.settings import choose_settings
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.data.vocabulary import choose_reasons
from imageqx_export.errors import ArtifactError, TrainingError
from imageqx_export.evaluation.accuracy_loss import Accuracy, Budget, accuracy, problems
from imageqx_export.quantize.calibration.rectify_recipe import choose_swishes, rectify_recipe
from imageqx_export.quantize.graph.capture import capture, find_tensors
from imageqx_export.quantize.graph.simulate import simulate
from imageqx_export.quantize.plan import make_recipe
from imageqx_export.quantize.qat.loop import QatConfig, Report, learn
from imageqx_export.quantize.qat.task import prepare_task
from imageqx_export.quantize.recipe import Recipe, check_checkpoint, format_recipe, read_recipe, write_recipe
from imageqx_export.quantize.weights import apply_parameters, load_quantized_network, write_fine_tuned
from imageqx_export.support.files import check_places
from imageqx_export.support.progress import Progress, silent
from imageqx_export.training.parallel import join_world
from imageqx_export.training.state import describe_stop, explain_failed_writes, read_stamps, state_path

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from imageqx_export.networks.base import Network

BACKBONE = ("early.stages.", "late.")


@dataclass(frozen=True)
class Request:
    """A request to fine-tune: what, on what, and how.

    Args:
        checkpoint: The float network.
        out: The recipe to write; its weights lie beside the checkpoint, named after the recipe.
        recipe: The recipe to start from; None for the one at ``out``, or, if there is none, a new one.
        sources: Where photos come from.
        config: How; its digests are filled in here.
        budget: What the result may cost against the float network; None for no limit.
        held_out_samples: How many test samples the result is measured on.
        resume: Whether to go on from an earlier run's state.
        further: Whether to start from the weights that the recipe names, not from the checkpoint's.
        relu: Which SiLUs become ReLUs, as :func:`choose_swishes` takes them; None for those of the recipe.
    """

    checkpoint: Path
    out: Path
    recipe: Path | None
    sources: Sources
    config: QatConfig
    budget: Budget | None = None
    held_out_samples: int = 1000
    resume: bool = True
    further: bool = False
    relu: str | None = None

    @property
    def weights(self) -> Path:
        """The fine-tuned weights' file."""
        return self.checkpoint.with_name(f"{self.out.stem}.safetensors")


@dataclass(frozen=True)
class FineTuneResult:
    """The result of fine-tuning.

    Args:
        request: What was asked for.
        recipe: What was written.
        before: What quantization costs on the test samples with the recipe, and the weights, that were started from.
        after: What quantization costs with the weights that were learnt.
        source: Where the samples come from.
        problems: What is over the budget.
    """

    request: Request
    recipe: Recipe
    before: Accuracy
    after: Accuracy
    source: str
    problems: tuple[str, ...]


def fine_tune(
    request: Request,
    *,
    progress: Progress = silent,
    report: Report = lambda epoch, loss, closeness: None,
) -> FineTuneResult:
    """Fine-tune a network in its quantized form, write its weights and recipe, and measure both.

    Args:
        request: What to do.
        progress: Opens bars.
        report: Called before the first epoch and after every one.

    Raises:
        CheckpointError: The checkpoint cannot be trusted.
        ArtifactError: The recipe cannot be used, or raters are not asked for the network's labels or reasons.
        DatasetError: The photos cannot be trained on.
        TrainingError: The run cannot go on; the last good state is kept.
        StoppedError: Ctrl-C; likewise.
        OSError: What it writes cannot be written, which is found out first.
    """
    checkpoint, network = load_checkpoint(request.checkpoint)
    settings = choose_settings(checkpoint.spec)
    choose_reasons(settings.labels, settings.reasons)  # before calibration, which takes minutes
    if request.weights == request.checkpoint:
        raise TrainingError(
            "the fine-tuned weights would replace their teacher", where=request.weights, remedy="--out another.json"
        )
    state = state_path(request.weights)
    check_places(request.weights, request.out, state)
    before = read_stamps([state])
    chosen = () if request.relu is None else choose_swishes(network, request.relu)
    try:
        recipe = _choose_start(request, checkpoint, network, progress)
        first = load_quantized_network(recipe, request.checkpoint, network)
        if chosen:
            recipe = rectify_recipe(first, recipe, chosen)
        start = capture(first, batch=None, rewrites=recipe.rewrites)
        _check_recipe(request, recipe, set(find_tensors(start)))
        teacher = capture(network, batch=None)
        tuned = _learn(request, checkpoint, network, recipe, (start, teacher), progress, report)
        return _measure(request, checkpoint, network, (start, teacher), recipe, tuned, progress)
    except KeyboardInterrupt:
        raise describe_stop([state], state, before, resume=request.resume) from None


def _choose_start(request: Request, checkpoint: Checkpoint, network: Network, progress: Progress) -> Recipe:
    """Return the recipe to start from; unless it goes further, without the weights of an earlier run."""
    path = request.recipe or (request.out if request.out.is_file() else None)
    if path is None:
        found = gather_calibration_images(None, spec=network.spec, progress=progress)
        found = add_clean_photos(found, request.sources.photos, spec=network.spec, progress=progress)
        return make_recipe(network, checkpoint.sha256, "w8a8", *found, progress=progress)
    # What is at path may be another network's, and what is beside the checkpoint fine-tuned: neither is to be replaced.
    own = Path("build") / f"{request.checkpoint.stem}.{Precision.W8A8}.json"
    remedy = f"imageqx quantize --checkpoint {request.checkpoint} --out {own}, then --recipe {own}"
    recipe = read_recipe(path, remedy)
    check_checkpoint(recipe, path, checkpoint.sha256, remedy)
    if recipe.precision != "w8a8":
        raise ArtifactError("fine-tuning is for w8a8", where=path, expected="w8a8", got=recipe.precision, remedy=remedy)
    if not request.further:
        return recipe.model_copy(update={"finetuned": None})
    if recipe.finetuned is None:
        raise ArtifactError("a recipe without fine-tuned weights to go on from", where=path, remedy="no --further")
    if recipe.finetuned.weights == request.weights.name:
        raise TrainingError(
            "the fine-tuned weights would replace those that they go on from",
            where=request.weights,
            remedy="--recipe with the old recipe, and --out with another name",
        )
    return recipe


def _check_recipe(request: Request, recipe: Recipe, names: set[str]) -> None:
    """Refuse a recipe that was changed by hand so that it cannot be learnt with."""
    rows = [row.tensor for row in recipe.weights] + [row.tensor for row in recipe.activations]
    unknown = [name for name in rows if name not in names]
    unknown += [row.tensor for row in recipe.weights if not row.tensor.startswith(BACKBONE)]
    if unknown:
        raise ArtifactError(
            "a recipe that cannot be fine-tuned",
            where=request.recipe or request.out,
            expected="int8 tensors of this network, with the heads in float",
            got=", ".join(unknown[:3]),
            remedy=f"imageqx quantize --checkpoint {request.checkpoint}",
        )


def _learn(
    request: Request,
    checkpoint: Checkpoint,
    network: Network,
    recipe: Recipe,
    programs: tuple[GraphModule, GraphModule],
    progress: Progress,
    report: Report,
) -> Recipe:
    """Fine-tune the first program with the second as the teacher, and return the recipe that was written last."""
    config = replace(
        request.config,
        checkpoint_sha256=checkpoint.sha256,
        recipe_sha256=hashlib.sha256(format_recipe(recipe).encode()).hexdigest(),
    )
    with join_world(config.batch_size) as here:
        if here.size > 1:
            raise TrainingError(
                "fine-tuning works in one process", got=f"{here.size}", remedy="start it without torchrun"
            )
        settings = choose_settings(checkpoint.spec)
        task, facts = prepare_task(config, request.sources, settings, recipe, programs, here.device, progress)
        written = recipe

        def keep(units: list[Tensor], history: list[dict[str, Any]]) -> None:
            nonlocal written
            how = f"{len(history)} epochs of {config.samples} samples, distilled from the checkpoint"
            if recipe.finetuned is not None:
                how = f"{recipe.finetuned.how}; then {how}"
            made = apply_parameters(network, recipe, task.student.round_parameters(units))
            provenance = {"config": asdict(config), "history": history, "data": facts}
            written = _write(request, checkpoint, made, recipe, provenance, how)

        state = state_path(request.weights)
        learn(config, task, state, here.device, keep=keep, resume=request.resume, progress=progress, report=report)
    return written if written is not recipe else read_recipe(request.out)


def _write(
    request: Request, checkpoint: Checkpoint, made: Network, recipe: Recipe, facts: dict[str, Any], how: str
) -> Recipe:
    """Write weights, on their grid, and then the recipe that names them."""
    with explain_failed_writes(request.weights.parent):
        named = write_fine_tuned(request.weights, checkpoint, made, recipe, facts, how)
    with explain_failed_writes(request.out.parent):
        write_recipe(request.out, named)
    return named


def _measure(
    request: Request,
    checkpoint: Checkpoint,
    network: Network,
    programs: tuple[GraphModule, GraphModule],
    before: Recipe,
    after: Recipe,
    progress: Progress,
) -> FineTuneResult:
    """Measure what was started from and what was reached on the same test samples, against the float network."""
    start, program = programs
    settings = choose_settings(checkpoint.spec)
    photos = load_held_out("test", request.sources, request.held_out_samples, settings=settings, progress=progress)
    reference = simulate(program, None, photos.pixels, progress=progress)
    tuned = capture(load_quantized_network(after, request.checkpoint, network), batch=None, rewrites=after.rewrites)
    first, second = (
        accuracy(reference, simulate(graph, recipe, photos.pixels, progress=progress), photos, checkpoint.spec)
        for graph, recipe in ((start, before), (tuned, after))
    )
    return FineTuneResult(request, after, first, second, photos.source, problems(second, request.budget))

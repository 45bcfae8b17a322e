"""Choose how each quantized precision is made: a recipe that is named, one beside the checkpoint, or a new one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.artifact import QUANTIZED, Checkpoint, Precision
from imageqx_export.errors import ArtifactError, ConversionError
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network
    from imageqx_export.quantize.recipe import Recipe


@dataclass(frozen=True)
class ChosenRecipes:
    """The recipes of an export.

    Attributes:
        recipes: Per quantized precision.
        notes: Which files beside the checkpoint were passed over, and why.
    """

    recipes: dict[Precision, Recipe] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def choose_recipes(
    checkpoint: Checkpoint,
    network: Network,
    precisions: Collection[Precision],
    *,
    named: Sequence[Path] = (),
    calibration: Path | None = None,
    progress: Progress = silent,
) -> ChosenRecipes:
    """Return a recipe for each quantized precision.

    A recipe that is named comes first. Then, unless there are photos to calibrate on, ``<checkpoint>.w8.json`` and
    ``<checkpoint>.w8a8.json`` beside the checkpoint, where they are for these weights. Else one is made here.

    Args:
        checkpoint: The checkpoint.
        network: It, loaded.
        precisions: What is exported.
        named: Recipes to use; each says for which precision it is.
        calibration: A folder of at least 256 photos to make w8a8's recipe with, or None.
        progress: Opens bars while a recipe is made.

    Raises:
        ArtifactError: A named recipe is missing, broken, or for other weights.
        ConversionError: A named recipe is for a precision that is not exported, or two are for the same.
        DatasetError: The photos cannot be calibrated on.
    """
    wanted = [precision for precision in QUANTIZED if precision in precisions]
    recipes = _read_named(checkpoint, network, named, wanted)
    notes = []
    for precision in (p for p in wanted if p not in recipes):
        beside = checkpoint.path.with_suffix(f".{precision}.json")
        if beside.is_file() and (calibration is None or precision is Precision.W8):
            try:
                recipes[precision] = _read_checked(beside, checkpoint, network)
                continue
            except ArtifactError as error:
                notes.append(f"{beside} was passed over, and a new recipe is made: {error.what}")
        recipes[precision] = _make(checkpoint, network, precision, calibration, progress)
    return ChosenRecipes(recipes, tuple(notes))


def _read_named(
    checkpoint: Checkpoint, network: Network, paths: Sequence[Path], wanted: Sequence[Precision]
) -> dict[Precision, Recipe]:
    found: dict[Precision, Recipe] = {}
    for path in paths:
        recipe = _read_checked(path, checkpoint, network)
        precision = Precision(recipe.precision)
        if precision not in wanted or precision in found:
            raise ConversionError(
                f"a second recipe for {precision}" if precision in found else "a recipe for what is not exported",
                where=path,
                expected=", ".join(p for p in wanted if p not in found) or "none",
                got=precision.value,
                remedy="--recipe once for each quantized precision of --precisions",
            )
        found[precision] = recipe
    return found


def _read_checked(path: Path, checkpoint: Checkpoint, network: Network) -> Recipe:
    """Read a recipe that is for these weights, and whose tensors are all there.

    Raises:
        ArtifactError: It cannot be read, or it is for others.
    """
    from imageqx_export.quantize.calibration.ranges import make_pixel_scale
    from imageqx_export.quantize.recipe import check_checkpoint, read_recipe
    from imageqx_export.quantize.rewrites.entry import ENTRY
    from imageqx_export.quantize.weights import load_quantized_network

    remedy = f"imageqx quantize --checkpoint {checkpoint.path}"
    # Without a file there, nothing is replaced; without --out the recipe beside the checkpoint would be.
    recipe = read_recipe(path, remedy if path.exists() else f"{remedy} --out {path}")
    check_checkpoint(recipe, path, checkpoint.sha256, remedy)
    entry = next((row for row in recipe.activations if row.tensor == ENTRY), None)
    if entry is not None and entry != make_pixel_scale(ENTRY):
        raise ArtifactError(
            "a recipe that rounds pixels",
            where=path,
            expected="bytes as they are, as this version reads them",
            got=f"steps of {entry.scale:g} from {entry.zero_point}",
            remedy=remedy,
        )
    # Fine-tuned weights that are missing are told before anything is made.
    load_quantized_network(recipe, checkpoint.path, network)
    if unknown := _find_unknown(recipe, network):
        raise ArtifactError(
            "a recipe for another network",
            where=path,
            expected="tensors of this one",
            got=", ".join(unknown[:3]) + (f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""),
            remedy=remedy,
        )
    return recipe


def _find_unknown(recipe: Recipe, network: Network) -> list[str]:
    """Return what a recipe names that the network does not have, or has with other channels."""
    from imageqx_export.quantize.graph.capture import list_misfits

    modules = dict(network.fold("NHWC").named_modules()) | {"heads": network}
    rows = [r.tensor for r in recipe.weights] + [r.tensor for r in recipe.activations]
    unknown = [name for name in rows if name.split(":")[0] not in modules]
    for row in recipe.weights:
        weight = getattr(modules.get(row.tensor.split(":")[0]), "weight", None)
        if weight is not None and len(row.scales) != len(weight):
            unknown.append(f"{row.tensor} with {len(row.scales)} channels")
    return unknown + list_misfits(network.fold("NHWC"), recipe.rewrites)


def _make(
    checkpoint: Checkpoint, network: Network, precision: Precision, calibration: Path | None, progress: Progress
) -> Recipe:
    from imageqx_export.data.images import gather_calibration_images
    from imageqx_export.quantize.plan import make_recipe, make_w8_recipe

    if precision is Precision.W8:
        return make_w8_recipe(network, checkpoint.sha256)
    pixels, source = gather_calibration_images(calibration, spec=network.spec, progress=progress)
    return make_recipe(network, checkpoint.sha256, "w8a8", pixels, source, progress=progress)

"""Make of a recipe one in which SiLUs are ReLUs, with the ranges that they had: what fine-tuning then starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageqx_export.errors import ArtifactError
from imageqx_export.quantize.calibration.exact_scales import make_steps_exact
from imageqx_export.quantize.calibration.ranges import make_activation_scale
from imageqx_export.quantize.graph.capture import capture, find_tensors
from imageqx_export.quantize.recipe import ActivationScale, Recipe, RectifiedSwish
from imageqx_export.quantize.rewrites.equalise import iterate_swishes

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network


def choose_swishes(network: Network, wanted: str) -> tuple[str, ...]:
    """Return the paths of the SiLUs that a person names.

    Args:
        network: The trained network.
        wanted: How many, counted from the network's entry, or their paths, separated by commas.

    Raises:
        ArtifactError: The network has no such SiLU, or fewer.
    """
    known = [place.path for place in iterate_swishes(network.fold("NHWC"))]
    names = [name.strip() for name in wanted.split(",")]
    if wanted.isascii() and wanted.isdigit() and 0 < int(wanted[:9]) <= len(known):
        return tuple(known[: int(wanted)])
    if unknown := [name for name in names if name not in known]:
        raise ArtifactError(
            "no such SiLU to make a ReLU of",
            expected=f"1 to {len(known)}, or paths as {known[0]}, {known[-1]}" if known else "a network with SiLUs",
            got=unknown[0][:80],
            remedy="imageqx quantize --analyze, which lists layers",
        )
    return tuple(dict.fromkeys(names))


def rectify_recipe(network: Network, recipe: Recipe, modules: tuple[str, ...]) -> Recipe:
    """Return a recipe in which some SiLUs are ReLUs.

    A ReLU holds what the SiLU held from 0 on, and so does what it reads. The answers are far off until the weights are
    fine-tuned for it.

    Args:
        network: The trained network, eval mode.
        recipe: With int8 activations, of this network.
        modules: The SiLUs' paths; those that are ReLUs already stay so.
    """
    old = {row.module for row in recipe.relus}
    new = [path for path in modules if path not in old]
    relus = (*recipe.relus, *(RectifiedSwish(module=path) for path in new))
    rows = {row.tensor: row for row in recipe.activations}
    for path in new:
        _rectify_rows(rows, path)
    program = capture(network, batch=None, rewrites=recipe.rewrites._replace(relus=relus))
    ordered = [rows[name] for name in find_tensors(program) if name in rows]
    return recipe.model_copy(update={"relus": relus, "activations": make_steps_exact(program, ordered)})


def _rectify_rows(rows: dict[str, ActivationScale], path: str) -> None:
    """Put a ReLU's rows in the place of a SiLU's, in place; the SiLU's last product is what it gives."""
    given = [rows.pop(f"{path}:{kind}", None) for kind in ("sigmoid", "mul", "mul2")]
    last = next((row for row in reversed(given) if row is not None), None)
    if last is None:  # of a layer that stays float: so do the ReLU and, as ever, what it reads
        return
    before = f"{path.removesuffix('.1')}.0:conv"
    for name in (before, f"{path}:relu"):
        rows[name] = make_activation_scale(name, (0.0, last.ends[1]), last.observer)

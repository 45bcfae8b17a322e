"""Keep fine-tuned weights: an ordinary checkpoint beside the one that they come from, named in the recipe.

What learns is the phone's graph, BatchNorm folded and rewritten as the recipe says. It is written back as a network:
channels and squeeze-and-excitation as they were, and in the place of each BatchNorm one that only adds the bias. So the
file is checked on reading like every checkpoint, and every stage quantizes it like any other network.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from imageqx_export.artifact import Checkpoint
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.errors import ArtifactError
from imageqx_export.quantize.recipe import FineTunedWeights, Recipe
from imageqx_export.quantize.rewrites.entry import fold_normalisation, restore_stem
from imageqx_export.quantize.rewrites.equalise import equalise
from imageqx_export.quantize.rewrites.excitation import scale_by_excitations
from imageqx_export.support.files import digest

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network


def load_quantized_network(recipe: Recipe, checkpoint: Path, network: Network) -> Network:
    """Return the network whose weights a recipe quantizes: the checkpoint's own, or the fine-tuned one.

    Args:
        recipe: Names the fine-tuned weights, if there are any.
        checkpoint: The float network's file; fine-tuned weights lie beside it.
        network: The float network.

    Raises:
        ArtifactError: The fine-tuned weights are missing, or are not those that the recipe was made with.
        CheckpointError: They cannot be trusted.
    """
    if recipe.finetuned is None:
        return network
    path = checkpoint.parent / recipe.finetuned.weights
    remedy = f"imageqx finetune --checkpoint {checkpoint}"
    if Path(recipe.finetuned.weights).name != recipe.finetuned.weights:
        raise ArtifactError("a recipe with weights elsewhere", where=path, expected="a file's name", remedy=remedy)
    if not path.is_file():
        raise ArtifactError("a recipe's fine-tuned weights are missing", where=path, remedy=remedy)
    if (found := digest(path)) != recipe.finetuned.sha256:
        raise ArtifactError(
            "other weights than the recipe was fine-tuned with",
            where=path,
            expected=recipe.finetuned.sha256,
            got=found,
            remedy=remedy,
        )
    return load_checkpoint(path)[1]


def write_fine_tuned(
    path: Path, checkpoint: Checkpoint, network: Network, recipe: Recipe, facts: Mapping[str, Any], how: str
) -> Recipe:
    """Write fine-tuned weights beside their checkpoint, and return the recipe that names them.

    Args:
        path: The file.
        checkpoint: Where they come from.
        network: From :func:`apply_parameters`.
        recipe: Theirs.
        facts: For the file's provenance; JSON-able.
        how: For the recipe, in words.

    Raises:
        OSError: The file cannot be written.
    """
    provenance = {"qat": {"checkpoint_sha256": checkpoint.sha256, **facts}, "origin": dict(checkpoint.provenance)}
    # Its metrics would be those of other weights.
    made = save_checkpoint(network, checkpoint.spec, {}, provenance, path, checkpoint.temperatures)
    return recipe.model_copy(update={"finetuned": FineTunedWeights(weights=path.name, sha256=made.sha256, how=how)})


def apply_parameters(network: Network, recipe: Recipe, parameters: Mapping[str, Tensor]) -> Network:
    """Return a copy of a network with the parameters that were learnt.

    Args:
        network: The float network.
        recipe: Says what is rewritten in the graph that learnt.
        parameters: Of that graph, by their name in it; weights lie on their int8 grid.
    """
    graph = network.fold("NHWC")
    equalise(graph, recipe.channels)
    scale_by_excitations(graph, recipe.excitations)
    fold_normalisation(graph)
    own = dict(graph.named_parameters())
    for name, value in parameters.items():
        own[name].data = value.detach().cpu().clone()
    restore_stem(graph)
    constants = [row.model_copy(update={"values": tuple(1 / v for v in row.values)}) for row in recipe.excitations]
    scale_by_excitations(graph, constants)
    equalise(graph, [row.model_copy(update={"scales": tuple(1 / s for s in row.scales)}) for row in recipe.channels])
    made = copy.deepcopy(network)
    made.unfold({name: own[name].data for name in parameters})
    return made

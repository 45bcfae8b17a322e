"""Fine-tuned weights go into an ordinary checkpoint and come out of it as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from imageqx_export.artifact import Checkpoint
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.cli import app
from imageqx_export.errors import ArtifactError, ImageQXError
from imageqx_export.networks.base import Network
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.quantize.recipe import ChannelScales, ConstantExcitation, FineTunedWeights, Recipe, WeightScales
from imageqx_export.quantize.rewrites.entry import fold_normalisation
from imageqx_export.quantize.rewrites.equalise import equalise, iterate_swishes
from imageqx_export.quantize.rewrites.excitation import fold_excitations
from imageqx_export.quantize.weights import apply_parameters, load_quantized_network, write_fine_tuned

LEARNT = (
    "early.stages.0.0",
    "early.stages.1.0.block.1.fc1",
    "early.stages.2.0.block.0.0",
    "late.0.1.block.3.0",
    "late.3.0.block.2.fc2",
    "late.4.0",
)


@pytest.fixture(scope="module")
def network() -> ImageQX:
    torch.manual_seed(0)
    made = ImageQX().eval()
    with torch.no_grad():
        for module in made.features.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.2, 3)
                module.bias.normal_()
                assert module.running_mean is not None and module.running_var is not None
                module.running_mean.normal_()
                module.running_var.uniform_(0.1, 4)
    return made


@pytest.fixture(scope="module")
def checkpoint(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("float") / "x.safetensors"
    return save_checkpoint(network, spec(), {"quality_macro_f1": 0.5}, {"config": {"seed": 1}}, path)


def recipe(*, rescaled: bool) -> Recipe:
    row = WeightScales(tensor="early.stages.0.0:conv", scales=(0.01,) * 32, observer="minmax")
    plain = Recipe(precision="w8", checkpoint_sha256="ab" * 32, weights=(row,))
    if not rescaled:
        return plain
    channels = ChannelScales(module="early.stages.0.1", scales=tuple(float(s) for s in np.linspace(0.1, 1, 32)))
    constant = ConstantExcitation(module="late.0.1.block.2", values=tuple(float(v) for v in np.linspace(0.1, 0.9, 480)))
    return plain.model_copy(update={"channels": (channels,), "excitations": (constant,)})


def parameters(network: Network, wanted: Recipe) -> dict[str, Tensor]:
    """Return the folded, rescaled graph's parameters: what a student's graph would hold."""
    graph = network.fold("NHWC")
    assert equalise(graph, wanted.channels) == len(wanted.channels)
    fold_excitations(graph, wanted.excitations)
    assert fold_normalisation(graph) and not fold_normalisation(graph), "a second time there is nothing to fold"
    return {name: value.detach().clone() for name, value in graph.named_parameters()}


def taught(network: Network, wanted: Recipe) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    own = parameters(network, wanted)
    names = [f"{place}.{kind}" for place in LEARNT for kind in ("weight", "bias")]
    return {name: own[name] + 0.1 * torch.randn(own[name].shape, generator=generator) for name in names}


def alike(name: str, one: Tensor, other: Tensor) -> bool:
    """Whether two parameters are equal to the bit; in and out of the first convolution, normalisation rounds."""
    if name.startswith(f"{LEARNT[0]}."):
        return torch.allclose(one, other, rtol=1e-6, atol=1e-5)
    return torch.equal(one, other)


def test_what_was_learnt_is_folded_back_to_the_bit(network: Network) -> None:
    wanted = recipe(rescaled=False)
    learnt = taught(network, wanted)
    after = parameters(apply_parameters(network, wanted, learnt), wanted)
    before = parameters(network, wanted)
    assert all(alike(name, after[name], value) for name, value in learnt.items())
    assert all(torch.equal(after[name], value) for name, value in before.items() if name not in learnt)
    assert not any(torch.equal(before[name], value) for name, value in learnt.items())


def test_rescaled_it_comes_back_too(network: Network) -> None:
    wanted = recipe(rescaled=True)
    assert wanted.channels[0].module in {place.path for place in iterate_swishes(network.fold("NHWC"))}
    learnt = taught(network, wanted)
    after, before = parameters(apply_parameters(network, wanted, learnt), wanted), parameters(network, wanted)
    for name, value in (before | learnt).items():
        torch.testing.assert_close(after[name], value, rtol=1e-6, atol=1e-5)
    # The neighbour of a rescaled layer that did not learn is as it was, to the bit.
    plain = recipe(rescaled=False)
    neighbour = "early.stages.1.0.block.0.0.weight"
    made = apply_parameters(network, wanted, learnt)
    assert torch.equal(parameters(made, plain)[neighbour], parameters(network, plain)[neighbour])


def test_the_float_network_is_left_alone(network: Network) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    made = apply_parameters(network, recipe(rescaled=True), taught(network, recipe(rescaled=True)))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    for block in ("explanation_block", "explanation_head", "quality_block", "quality_head"):
        own, theirs = getattr(made, block).state_dict(), getattr(network, block).state_dict()
        assert all(torch.equal(own[name], theirs[name]) for name in theirs)


@pytest.fixture(scope="module")
def written(network: Network, checkpoint: Checkpoint) -> Recipe:
    wanted = recipe(rescaled=False)
    made = apply_parameters(network, wanted, taught(network, wanted))
    path = checkpoint.path.with_name("x.w8a8.safetensors")
    return write_fine_tuned(path, checkpoint, made, wanted, {"config": {"epochs": 1}}, "a test")


def test_written_beside_the_checkpoint_it_is_found(network: Network, checkpoint: Checkpoint, written: Recipe) -> None:
    assert written.finetuned is not None and written.finetuned.weights == "x.w8a8.safetensors"
    found = load_quantized_network(written, checkpoint.path, network)
    wanted = taught(network, written)
    own = parameters(found, written)
    assert all(alike(name, own[name], value) for name, value in wanted.items())
    read, _ = load_checkpoint(checkpoint.path.with_name("x.w8a8.safetensors"))
    assert read.spec == checkpoint.spec and read.metrics == {}
    facts = read.provenance["qat"]
    assert facts == {"checkpoint_sha256": checkpoint.sha256, "config": {"epochs": 1}}
    assert Recipe.model_validate_json(written.model_dump_json()) == written


def test_without_fine_tuning_it_is_the_network(network: Network, checkpoint: Checkpoint) -> None:
    assert load_quantized_network(recipe(rescaled=False), checkpoint.path, network) is network


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sha256": "cd" * 32}, "other weights than the recipe was fine-tuned with"),
        ({"weights": "gone.safetensors"}, "fine-tuned weights are missing"),
        ({"weights": "../x.w8a8.safetensors"}, "a recipe with weights elsewhere"),
    ],
)
def test_other_weights_are_refused(
    network: Network, checkpoint: Checkpoint, written: Recipe, changed: dict[str, str], message: str
) -> None:
    assert written.finetuned is not None
    named = FineTunedWeights(**{**written.finetuned.model_dump(), **changed})
    with pytest.raises(ArtifactError, match=message) as error:
        load_quantized_network(written.model_copy(update={"finetuned": named}), checkpoint.path, network)
    assert f"imageqx finetune --checkpoint {checkpoint.path}" in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learning-rate", "128"], "the learning rate must lie in"),
        (["--checkpoint", "none.safetensors"], r"no such file\n  where:    none.safetensors"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(arguments: list[str], message: str) -> None:
    with pytest.raises(ImageQXError, match=message):
        CliRunner().invoke(app, ["finetune", *arguments], catch_exceptions=False)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("finetune", ["--seeds", "2"]),
        ("finetune", ["--soft-labels"]),
        ("train", ["--recipe", "x.json"]),
        ("train", ["--further"]),
        ("train", ["--qat"]),
    ],
)
def test_training_and_fine_tuning_refuse_each_others_options(command: str, option: list[str]) -> None:
    result = CliRunner().invoke(app, [command, *option])
    assert result.exit_code == 2 and f"No such option: {option[0]}" in result.output

"""Duke IQA: what its regions, bags and ranks are, held to their definitions, and its folded graph to the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from imageqx_export import networks
from imageqx_export.artifact import Temperatures
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.errors import CheckpointError, UnavailableError, UnknownNameError
from imageqx_export.networks.base import Network
from imageqx_export.networks.duke_iqa import backbones
from imageqx_export.networks.duke_iqa.bags import Bag
from imageqx_export.networks.duke_iqa.coral import Coral
from imageqx_export.networks.duke_iqa.network import DukeIQA, Logits
from imageqx_export.networks.duke_iqa.spec import find_side, list_corners, spec
from imageqx_export.networks.pixels import normalise


def network(name: str = "duke-iqa", **options: str | float) -> DukeIQA:
    """Return an untrained network whose BatchNorms have seen something."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        built = networks.build(name, options=options)
        for module in built.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
                module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
    assert isinstance(built, DukeIQA)
    return built.eval()


def photo(side: int) -> Tensor:
    draw = np.random.default_rng(2)
    return torch.from_numpy(draw.integers(0, 256, (1, side, side, 3), dtype=np.uint8))


# --- ranks ----------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=5),
    st.floats(-30, 30, width=32),
    st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3),
    st.floats(0.015625, 100, width=32),
)
def test_ranks_never_rise_whatever_the_weights(
    scores: list[float], first: float, falls: list[float], temperature: float
) -> None:
    head = Coral(4)
    head.first.data, head.falls.data = torch.tensor([first]), torch.tensor(falls)
    ranks = (head(torch.tensor(scores)) / temperature).sigmoid()
    assert ranks.shape == (len(scores), 4)
    assert (ranks.diff(dim=1) <= 0).all()


def test_free_biases_would_contradict_one_another() -> None:
    """Four logistic regressions of one score are what CORAL is without its rank consistency."""
    free = torch.tensor([0.0, 0.5, -0.5, 0.2])
    assert (free.sigmoid().diff() > 0).any()


def test_an_untrained_head_expects_all_sums_of_votes_alike() -> None:
    torch.testing.assert_close(Coral(4)(torch.zeros(1)).sigmoid(), torch.tensor([[0.8, 0.6, 0.4, 0.2]]))


def test_good_is_the_rank_of_two_raters_and_a_region_is_a_photo_of_its_own() -> None:
    own = network()
    features = torch.randn(2, 5, 1280)
    good, ranks, regions = own.probabilities(own.logits(features))
    assert (good[:, 0] == ranks[:, 1]).all()
    for region in range(5):
        alone, _, _ = own.probabilities(own.logits(features[:, region : region + 1].expand(-1, 5, -1)))
        torch.testing.assert_close(alone[:, 0], regions[:, region])


def test_a_temperature_keeps_every_order_and_the_half() -> None:
    own = network()
    logits = Logits(torch.randn(50, 4).sort(1, descending=True).values, torch.randn(50, 5))
    before = own.probabilities(logits)
    own.set_temperatures(Temperatures(quality=3.0, explanations={}))
    for old, new in zip(before, own.probabilities(logits), strict=True):
        assert ((old >= 0.5) == (new >= 0.5)).all() and (new - 0.5).abs().sum() < (old - 0.5).abs().sum()


# --- regions and bags -----------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 2 / 3, 0.25, 1.0])
def test_regions_have_the_same_size_and_lie_in_the_corners_and_the_centre(share: float) -> None:
    side = find_side(share)
    for (top, left), part in zip(list_corners(side, 224), spec(share=share).binary.regions.parts, strict=True):  # type: ignore[union-attr]
        assert (part.top * side, part.left * side, part.width * side) == pytest.approx((top, left, 224))
    corners = list_corners(side, 224)
    assert corners[0] == (0, 0) and corners[3] == (side - 224, side - 224)
    assert corners[4][0] == pytest.approx((side - 224) / 2, abs=0.5)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.01, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share of the frame"):
        find_side(share)


def test_what_lies_in_one_region_changes_it_alone() -> None:
    own = network()
    picture = photo(448)
    changed = picture.clone()
    changed[:, 300:420, 340:440] = 255  # below and right of the centre's region, which ends at 336
    with torch.no_grad():
        before, after = own.features(normalise(picture)), own.features(normalise(changed))
    assert before.shape == (1, 5, 1280)
    assert (before == after).all(2)[0].tolist() == [True, True, True, False, True]


@pytest.mark.parametrize("aggregation", ["mean", "max", "attention"])
def test_bags_are_what_their_names_say(aggregation: str) -> None:
    torch.manual_seed(0)
    bag, features = Bag(6, aggregation), torch.randn(3, 5, 6)
    score, scores = bag(features)
    torch.testing.assert_close(scores, features @ bag.score.weight[0])
    if aggregation == "attention":  # as the paper writes it: of features, and not of scores
        assert bag.hidden is not None and bag.weigh is not None
        for row, wanted in zip(features, score, strict=True):
            terms = [torch.exp(bag.weigh.weight[0] @ torch.tanh(bag.hidden.weight @ h + bag.hidden.bias)) for h in row]
            whole = sum(term / sum(terms) * h for term, h in zip(terms, row, strict=True))
            torch.testing.assert_close(bag.score.weight[0] @ whole, wanted)
    else:
        torch.testing.assert_close(score, scores.mean(1) if aggregation == "mean" else scores.max(1).values)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(bag(features[:, order])[0], score)
    with pytest.raises(UnknownNameError, match="median"):
        Bag(6, "median")


# --- the graph that goes to a phone ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("duke-iqa", {}),
        ("duke-iqa", {"aggregation": "max"}),
        ("duke-iqa", {"aggregation": "attention", "share": 2 / 3}),
        ("duke-iqa-vgg16", {}),
    ],
)
def test_the_folded_graph_is_the_network(name: str, options: dict[str, str | float]) -> None:
    own = network(name, **options)
    own.set_temperatures(Temperatures(quality=1.7, explanations={}))
    pixels = photo(own.spec.preprocessing.height)
    with torch.no_grad():
        wanted = own(normalise(pixels))
        for found in (own.fold("NHWC")(pixels), own.fold("NCHW")(pixels.permute(0, 3, 1, 2).float())):
            for one, other in zip(wanted, found, strict=True):
                torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    assert [tuple(value.shape) for value in wanted] == [output.shape for output in own.spec.outputs]


def test_folding_and_unfolding_gives_the_same_graph() -> None:
    for name in ("duke-iqa", "duke-iqa-vgg16"):
        own = network(name)
        graph = own.fold("NHWC")
        changed = {key: value + 0.01 for key, value in graph.named_parameters() if key.startswith(("early.", "late."))}
        own.unfold(changed)
        again = dict(own.fold("NHWC").named_parameters())
        assert changed and all((again[key] == value).all() for key, value in changed.items())


# --- weights --------------------------------------------------------------------------------------


def test_vgg16s_first_five_convolutions_keep_their_imagenet_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision

    make = torchvision.models.vgg16
    monkeypatch.setattr(torchvision.models, "vgg16", lambda weights: make(weights=None))
    for weights, frozen in (("imagenet", 5), ("random", 0)):
        built = networks.build("duke-iqa-vgg16", weights)
        stays = [m for m in built.modules() if isinstance(m, nn.Conv2d) and not m.weight.requires_grad]
        convolutions = [m for m in built.modules() if isinstance(m, nn.Conv2d)]
        assert len(convolutions) == 13 and stays == convolutions[:frozen]


def test_weights_that_cannot_be_had_are_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision

    def refuse(weights: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models, "vgg16", refuse)
    with pytest.raises(UnavailableError, match="vgg16"):
        backbones.build_backbone("vgg16", "imagenet")
    for backbone, weights in (("resnet", "random"), ("vgg16", "other")):
        with pytest.raises(UnknownNameError):
            backbones.build_backbone(backbone, weights)


def test_the_compact_variant_starts_from_imageqx_and_vgg16_does_not() -> None:
    _, donor = load_checkpoint(Path("models/imageqx.safetensors"))
    own = network()
    own.start_from(donor)
    given = donor.features.state_dict()
    assert all((value == given[key]).all() for key, value in own.features.backbone.state_dict().items())
    with pytest.raises(CheckpointError, match="another backbone"):
        network("duke-iqa-vgg16").start_from(donor)


# --- checkpoints ----------------------------------------------------------------------------------


def test_a_checkpoint_keeps_the_options(tmp_path: Path) -> None:
    own = network(aggregation="attention", share=2 / 3)
    save_checkpoint(own, own.spec, {}, {}, tmp_path / "a.safetensors")
    checkpoint, read = load_checkpoint(tmp_path / "a.safetensors", "duke-iqa")
    assert checkpoint.spec == own.spec and read.options == {"aggregation": "attention", "share": 2 / 3}
    pixels = photo(336)
    with torch.no_grad():
        torch.testing.assert_close(read(normalise(pixels)), own(normalise(pixels)))


def test_a_checkpoint_of_the_other_network_is_refused_in_a_sentence(tmp_path: Path) -> None:
    def save(own: Network) -> Path:
        path = tmp_path / f"{own.spec.name}.safetensors"
        save_checkpoint(own, own.spec, {}, {}, path)
        return path

    for path, model in (
        (Path("models/imageqx.safetensors"), "duke-iqa"),
        (save(network()), "imageqx"),
        (save(network()), "duke-iqa-vgg16"),
    ):
        with pytest.raises(CheckpointError, match="of another model"):
            load_checkpoint(path, model)


@pytest.mark.parametrize("options", [{"backbone2": "x"}, {"aggregation": "median"}, {"share": 7.0}, [1], {"share": []}])
def test_options_that_are_none_are_refused(options: object, tmp_path: Path) -> None:
    own = network()
    own.options = options  # type: ignore[assignment]
    if isinstance(options, list):
        own.options = {"share": [1]}  # type: ignore[dict-item]
    save_checkpoint(own, own.spec, {}, {}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="options"):
        load_checkpoint(tmp_path / "a.safetensors", "duke-iqa")


def test_unknown_options_are_refused_when_it_is_built() -> None:
    with pytest.raises(UnknownNameError, match="pooling"):
        networks.build("duke-iqa", options={"pooling": "mean"})

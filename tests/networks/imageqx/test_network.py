"""ImageQX against its paper: sizes, both heads, and Grad-CAM by automatic differentiation."""

from __future__ import annotations

import copy
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from imageqx_export import networks
from imageqx_export.errors import UnavailableError, UnknownNameError
from imageqx_export.networks.imageqx.network import ImageQX, Logits
from imageqx_export.networks.pixels import normalise
from tests.networks.imageqx.conftest import REASONS, TEMPERATURES

Array = NDArray[Any]

PARAMETERS = 4_172_377  # papers.md
BUFFERS = 42_323
QUALITY = ("lesion", "no_skin", "healthy_skin", "poor_quality")


def test_size_is_the_papers(network: ImageQX) -> None:
    assert sum(value.numel() for value in network.parameters()) == PARAMETERS
    everything = sum(value.numel() for value in network.state_dict().values())
    assert everything == PARAMETERS + BUFFERS  # temperatures are not among them


def test_outputs_are_what_the_spec_says(network: ImageQX, pixels: Tensor) -> None:
    with torch.no_grad():
        outputs = network(pixels)
    spec = networks.spec("imageqx")
    assert spec.labels == QUALITY and spec.reasons == REASONS
    assert [output.name for output in spec.outputs] == list(outputs._fields)
    for output, value in zip(spec.outputs, outputs, strict=True):
        assert value.shape == (3, *output.shape[1:]) and value.dtype == torch.float32
    assert np.allclose(outputs.quality.numpy().sum(1), 1, atol=1e-6)
    assert ((outputs.quality > 0) & (outputs.quality < 1)).all()
    assert ((outputs.explanations > 0) & (outputs.explanations < 1)).all()
    assert (outputs.attention >= 0).all()


def heads(state: dict[str, Array], features: Array, joined: str = "probabilities") -> tuple[Array, Array]:
    """Compute both heads in float64 as papers.md writes them down."""

    def linear(name: str, values: Array) -> Array:
        return np.asarray(values @ state[f"{name}.weight"].T + state[f"{name}.bias"])

    def block(name: str, values: Array) -> Array:
        hidden, norm = linear(f"{name}.0", values), f"{name}.1"
        centred = (hidden - state[f"{norm}.running_mean"]) / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
        return np.asarray(centred * state[f"{norm}.weight"] + state[f"{norm}.bias"])

    pooled = features.mean((2, 3))
    logits = linear("explanation_head", block("explanation_block", pooled))
    explanations = 1 / (1 + np.exp(-logits))
    seen = explanations if joined == "probabilities" else logits
    quality = np.exp(linear("quality_head", np.concatenate([block("quality_block", pooled), seen], axis=1)))
    return quality / quality.sum(1, keepdims=True), explanations


def test_both_heads_are_the_papers(network: ImageQX, pixels: Tensor, features: Tensor) -> None:
    state = {name: value.double().numpy() for name, value in network.state_dict().items()}
    quality, explanations = heads(state, features.double().numpy())
    with torch.no_grad():
        outputs = network(pixels)
    assert np.abs(outputs.quality.numpy() - quality).max() < 1e-6
    assert np.abs(outputs.explanations.numpy() - explanations).max() < 1e-6
    other, _ = heads(state, features.double().numpy(), joined="logits")
    assert np.abs(other - quality).max() > 1e-4, "the oracle cannot tell probabilities from logits"


def test_dropout_acts_in_training_alone(network: ImageQX, features: Tensor) -> None:
    trained = copy.deepcopy(network)
    with torch.no_grad():
        assert torch.equal(trained.logits(features).quality, trained.logits(features).quality)
        trained.train()
        assert not torch.equal(trained.logits(features).quality, trained.logits(features).quality)


def grad_cam(network: ImageQX, features: Tensor, reason: int) -> Array:
    """Grad-CAM's equations 1 and 2, by automatic differentiation at the last feature map."""
    maps = features.clone().requires_grad_(True)
    score = network.logits(maps).explanations[:, reason].sum()
    (gradient,) = torch.autograd.grad(score, maps)
    weights = gradient.double().numpy().mean((2, 3))
    return np.asarray(np.maximum(np.einsum("nc,nchw->nhw", weights, features.double().numpy()), 0))


def test_attention_is_grad_cam(network: ImageQX, pixels: Tensor, features: Tensor) -> None:
    with torch.no_grad():
        attention = network(pixels).attention.numpy()
    expected = np.stack([grad_cam(network, features, reason) for reason in range(5)], 1)
    assert expected.shape == attention.shape == (3, 5, 7, 7)
    assert (expected.max((0, 2, 3)) > 0).sum() >= 3, "maps of zeros prove nothing"
    assert np.abs(attention - expected).max() <= 1e-5 * expected.max()
    lit = expected.max((2, 3)) > 0
    relative = np.abs(attention - expected).max((2, 3))[lit] / expected.max((2, 3))[lit]
    assert relative.max() < 1e-4
    inner = network.explanation_block[0].weight
    assert isinstance(inner, Tensor)
    unfolded = network.explanation_head.weight @ inner / 49  # forgets BatchNorm
    naive = torch.einsum("kc,nchw->nkhw", unfolded, features).relu().detach().numpy()
    assert np.abs(naive - expected).max() > 0.01 * expected.max(), "BatchNorm is too tame to be seen"


class TestTemperatures:
    """Calibrated outputs of the same weights."""

    def test_divide_the_logits(self, calibrated: ImageQX, network: ImageQX, pixels: Tensor, features: Tensor) -> None:
        with torch.no_grad():
            got, plain, logits = calibrated(pixels), network(pixels), network.logits(features)
        scores = logits.quality.double().numpy() / 1.7
        expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        assert np.abs(got.quality.numpy() - expected).max() < 1e-6
        scores = logits.explanations.double().numpy() / np.array(list(TEMPERATURES.values()))
        assert np.abs(got.explanations.numpy() - 1 / (1 + np.exp(-scores))).max() < 1e-6
        assert torch.equal(got.attention, plain.attention)
        assert (got.quality - plain.quality).abs().max() > 0.01, "temperatures that do nothing prove nothing"
        assert (got.explanations - plain.explanations).abs().max() > 0.01

    def test_leave_logits_and_weights_alone(self, calibrated: ImageQX, network: ImageQX, features: Tensor) -> None:
        with torch.no_grad():
            for mine, theirs in zip(calibrated.logits(features), network.logits(features), strict=True):
                assert torch.equal(mine, theirs)
        after, before = calibrated.state_dict(), network.state_dict()
        assert list(after) == list(before) and all(torch.equal(value, before[name]) for name, value in after.items())

    def test_of_one_change_no_bit(self, network: ImageQX) -> None:
        generator = torch.Generator().manual_seed(5)
        logits = Logits(torch.randn(50, 4, generator=generator) * 9, torch.randn(50, 5, generator=generator) * 9)
        quality, explanations = network.probabilities(logits)
        assert torch.equal(quality, logits.quality.softmax(1)) and torch.equal(
            explanations, logits.explanations.sigmoid()
        )

    @given(seed=st.integers(0, 2**31), quality=st.floats(0.05, 20), reason=st.floats(0.05, 20))
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_change_no_decision(self, network: ImageQX, seed: int, quality: float, reason: float) -> None:
        generator = torch.Generator().manual_seed(seed)
        logits = Logits(torch.randn(40, 4, generator=generator) * 5, torch.randn(40, 5, generator=generator) * 5)
        own = copy.copy(network)
        own._buffers = dict(network._buffers)
        own.quality_temperature, own.explanation_temperatures = torch.tensor(quality), torch.full((5,), reason)
        got, expected = own.probabilities(logits), network.probabilities(logits)
        # Logits under 1e-5 apart may round to equal probabilities.
        clear = logits.quality.topk(2).values.diff().abs().flatten() > 1e-4
        assert torch.equal(got[0].argmax(1)[clear], expected[0].argmax(1)[clear])
        clear = logits.explanations.abs() > 1e-4
        assert torch.equal((got[1] >= 0.5)[clear], (expected[1] >= 0.5)[clear])


def test_normalised_pixels(photos: Array, pixels: Tensor) -> None:
    got = normalise(torch.from_numpy(photos))
    assert got.dtype == torch.float32 and got.is_contiguous(memory_format=torch.channels_last)
    assert (got - pixels).abs().max() < 1e-5  # pixels: in float64, by NumPy
    assert normalise(torch.from_numpy(photos), 160).shape == (3, 3, 160, 160)
    flat = torch.full((1, 8, 8, 3), 99, dtype=torch.uint8)
    assert (normalise(flat, 4) - normalise(flat)[:, :, :4, :4]).abs().max() < 1e-6


class TestImageNet:
    """The download, with torchvision's own loader replaced."""

    @staticmethod
    def loader(monkeypatch: pytest.MonkeyPatch, result: dict[str, Tensor] | Exception) -> None:
        def load(url: str, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
            assert url.startswith("https://")
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", load)

    @pytest.mark.parametrize(
        "error",
        [
            URLError("Name or service not known"),
            TimeoutError("timed out"),
            RuntimeError('invalid hash value (expected "7f5810bc")'),
        ],
    )
    def test_no_internet(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        self.loader(monkeypatch, error)
        with pytest.raises(UnavailableError) as caught:
            networks.build("imageqx", "imagenet")
        text = str(caught.value)
        assert "efficientnet_b0" in text and "try:" in text and "random" in text and str(error) in text

    def test_download(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from torchvision.models import efficientnet_b0

        state = efficientnet_b0(weights=None).state_dict()
        self.loader(monkeypatch, state)
        got = networks.build("imageqx", "imagenet").features.state_dict()
        assert len(got) == len(state) - 2  # the classifier stays behind
        assert all(torch.equal(value, state[f"features.{name}"]) for name, value in got.items())

    def test_unknown_names(self) -> None:
        with pytest.raises(UnknownNameError, match="initialisation 'imagenet21k'"):
            networks.build("imageqx", "imagenet21k")
        with pytest.raises(UnknownNameError, match=r"(?s)model 'vgg'.*imageqx"):
            networks.build("vgg")
        with pytest.raises(UnknownNameError, match="model 'vgg'"):
            networks.spec("vgg")

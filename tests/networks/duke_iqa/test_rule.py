"""How many raters make a photo good is a setting: the network's output, its phone graph and its spec follow it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from imageqx_export import networks
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint


def test_good_is_the_rank_that_the_setting_names(tmp_path: Path) -> None:
    torch.manual_seed(0)
    usual = networks.build("duke-iqa").eval()
    strict = networks.build("duke-iqa", options={"good_when_at_least": 3.0}).eval()
    strict.load_state_dict(usual.state_dict())
    for network, enough in ((usual, 2), (strict, 3)):
        assert network.spec.binary is not None and network.spec.binary.ranks is not None
        assert network.spec.binary.ranks.good_when_at_least == enough
        features = torch.rand(2, 5, 1280)
        good, ranks, _ = network.probabilities(network.logits(features))
        assert torch.equal(good[:, 0], ranks[:, enough - 1])
    save_checkpoint(strict, strict.spec, {}, {}, tmp_path / "strict.safetensors")
    checkpoint, loaded = load_checkpoint(tmp_path / "strict.safetensors")
    assert checkpoint.spec == strict.spec == loaded.spec
    picture = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (1, 448, 448, 3), np.uint8))
    with torch.inference_mode():
        good, ranks, _ = loaded.fold("NHWC")(picture)
    assert torch.equal(good[:, 0], ranks[:, 2])

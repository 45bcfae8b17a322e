"""Other trainers' files: what they have becomes ours, to the bit, and what they lack is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import efficientnet_b0

from imageqx_export import networks
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.checkpoint_import import import_checkpoint
from imageqx_export.errors import CheckpointError
from imageqx_export.export.stage import ExportConfig, export_checkpoint, note_undecided
from imageqx_export.networks.imageqx.network import ImageQX
from tests.checkpoint.test_refusals import pickled
from tests.conftest import Cli

# Names of timm 1.0.31's efficientnet_b0, as its state_dict lists them, each beside ours. All 360 were compared once:
# its features and ours differ by 0 on the same pixels.
TIMM = {
    "conv_stem.weight": "features.0.0.weight",
    "bn1.running_var": "features.0.1.running_var",
    "blocks.0.0.conv_dw.weight": "features.1.0.block.0.0.weight",
    "blocks.0.0.bn1.bias": "features.1.0.block.0.1.bias",
    "blocks.0.0.se.conv_reduce.bias": "features.1.0.block.1.fc1.bias",
    "blocks.0.0.se.conv_expand.weight": "features.1.0.block.1.fc2.weight",
    "blocks.0.0.conv_pw.weight": "features.1.0.block.2.0.weight",
    "blocks.0.0.bn2.weight": "features.1.0.block.2.1.weight",
    "blocks.1.0.conv_pw.weight": "features.2.0.block.0.0.weight",
    "blocks.1.0.bn1.running_mean": "features.2.0.block.0.1.running_mean",
    "blocks.2.1.conv_dw.weight": "features.3.1.block.1.0.weight",
    "blocks.2.1.bn2.weight": "features.3.1.block.1.1.weight",
    "blocks.4.2.se.conv_reduce.weight": "features.5.2.block.2.fc1.weight",
    "blocks.5.3.conv_pwl.weight": "features.6.3.block.3.0.weight",
    "blocks.6.0.bn3.bias": "features.7.0.block.3.1.bias",
    "conv_head.weight": "features.8.0.weight",
    "bn2.num_batches_tracked": "features.8.1.num_batches_tracked",
}


@pytest.fixture(scope="module")
def network() -> ImageQX:
    torch.manual_seed(8)
    network = ImageQX().eval()
    with torch.no_grad():
        for name, value in network.named_buffers():
            if ".running_" in name:
                value.uniform_(0.5, 1.5)
    return network


@pytest.fixture
def answers(network: ImageQX) -> Callable[[Path], list[Tensor]]:
    """Return by how much an imported file answers otherwise than the network."""
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))

    def compare(path: Path) -> list[Tensor]:
        _, loaded = load_checkpoint(path)
        with torch.no_grad():
            return [(a - b).abs().max() for a, b in zip(loaded(pixels), network(pixels), strict=True)]

    return compare


def wrap(prefix: str) -> Callable[[dict[str, Tensor]], Any]:
    return lambda state: {f"{prefix}{name}": value for name, value in state.items()}


CONTAINERS: dict[str, tuple[Callable[[dict[str, Tensor]], Any], str, tuple[str, ...]]] = {
    "plain": (lambda state: state, "", ()),
    "DataParallel": (wrap("module."), "", ("module.",)),
    "torch.compile in DataParallel": (wrap("module._orig_mod."), "", ("module.", "_orig_mod.")),
    "Lightning": (
        lambda state: {
            "state_dict": wrap("model.")(state),
            "epoch": 3,
            "pytorch-lightning_version": "2.5.0",
            "hyper_parameters": {"lr": 1e-3, "layers": [1, 2]},
        },
        "state_dict",
        ("model.",),
    ),
    "averaged": (lambda state: {**wrap("module.")(state), "n_averaged": torch.tensor(7)}, "", ("module.",)),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_the_same_answers(
    name: str, network: ImageQX, tmp_path: Path, answers: Callable[[Path], list[Tensor]]
) -> None:
    pack, state, wrappers = CONTAINERS[name]
    torch.save(pack(network.state_dict()), tmp_path / "theirs.ckpt")
    result = import_checkpoint(tmp_path / "theirs.ckpt", tmp_path / "ours.safetensors")
    assert (result.state, result.wrappers, result.layout) == (state, wrappers, "imageqx")
    assert result.mapped == len(network.state_dict())
    assert not (result.filled or result.untrained or result.left_out)
    assert answers(tmp_path / "ours.safetensors") == [0, 0, 0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits_without_counters_are_taken(dtype: torch.dtype, network: ImageQX, tmp_path: Path) -> None:
    short = {
        name: value.to(dtype) for name, value in network.state_dict().items() if not name.endswith("batches_tracked")
    }
    save_file(short, tmp_path / "short.safetensors")
    result = import_checkpoint(tmp_path / "short.safetensors", tmp_path / "ours.safetensors")
    _, loaded = load_checkpoint(tmp_path / "ours.safetensors")
    assert result.converted == len(short)
    assert all(name.endswith("num_batches_tracked") for name in result.filled)
    assert all(torch.equal(loaded.state_dict()[name], value.float()) for name, value in short.items())


def test_timms_names_are_ours(network: ImageQX, tmp_path: Path) -> None:
    """The whole map is the inverse of what rename does, built here from the network's own modules."""
    own = {name: value for name, value in network.state_dict().items() if name.startswith("features.")}
    theirs = {_to_timm(name): value for name, value in own.items()}
    assert {name: theirs[name].data_ptr() for name in TIMM} == {name: own[TIMM[name]].data_ptr() for name in TIMM}
    torch.save({**theirs, "classifier.weight": torch.ones(1000, 1280)}, tmp_path / "timm.pth")
    result = import_checkpoint(tmp_path / "timm.pth", tmp_path / "ours.safetensors")
    _, loaded = load_checkpoint(tmp_path / "ours.safetensors")
    assert (result.layout, result.mapped, result.left_out) == ("timm", len(own), ("classifier.weight",))
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in own.items())


def _to_timm(name: str) -> str:
    _, stage, *rest = name.split(".")
    if stage in "08":
        conv, norm = ("conv_stem", "bn1") if stage == "0" else ("conv_head", "bn2")
        return f"{norm if rest[0] == '1' else conv}.{rest[-1]}"
    index, _, part, inner, *tensor = rest
    excitation = ("se.conv_reduce", "se.conv_expand")
    first = [("conv_dw", "bn1"), excitation, ("conv_pw", "bn2")]
    others = [("conv_pw", "bn1"), ("conv_dw", "bn2"), excitation, ("conv_pwl", "bn3")]
    found = (first if stage == "1" else others)[int(part)][{"0": 0, "1": 1, "fc1": 0, "fc2": 1}[inner]]
    return f"blocks.{int(stage) - 1}.{index}.{found}.{tensor[0]}"


def test_a_backbone_alone_is_taken_but_not_exported(tmp_path: Path) -> None:
    theirs = efficientnet_b0(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "torchvision.pth")
    result = import_checkpoint(tmp_path / "torchvision.pth", tmp_path / "ours.safetensors")
    assert result.layout == "torchvision"
    assert result.untrained[0] == "explanation_block.0.weight"
    assert result.left_out == ("classifier.1.weight", "classifier.1.bias")
    with pytest.raises(CheckpointError, match=r"heads are random(.|\n)*imageqx train --init .*ours.safetensors"):
        export_checkpoint(ExportConfig(checkpoint=tmp_path / "ours.safetensors", out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_an_export_of_bare_weights_says_that_nobody_chose_thresholds(network: ImageQX, tmp_path: Path) -> None:
    save_file(network.state_dict(), tmp_path / "bare.safetensors")
    bare, _ = load_checkpoint(tmp_path / "bare.safetensors")
    (remark,) = note_undecided(bare, networks.spec("imageqx"))
    assert "every decision is at 0.5: imageqx thresholds --checkpoint" in remark
    decided = bare.spec.model_copy(update={"poor_quality_threshold": 0.4})
    assert not list(note_undecided(bare.model_copy(update={"spec": decided}), networks.spec("imageqx")))


def refuse(path: Path, **options: Any) -> str:
    out = path.with_name("ours.safetensors")
    with pytest.raises(CheckpointError) as caught:
        import_checkpoint(path, out, **options)
    assert not out.exists()
    return str(caught.value)


def test_no_code_from_a_file_is_run(network: ImageQX, tmp_path: Path) -> None:
    torch.save({"state_dict": network.state_dict(), "loop": nn.Linear(1, 1)}, tmp_path / "whole.pt")
    assert "more than tensors and plain values" in refuse(tmp_path / "whole.pt")
    for how in ("zip", "legacy", *(f"protocol {n}" for n in range(6))):
        (tmp_path / "harmful.pt").write_bytes(pickled(tmp_path / "made", how))
        refuse(tmp_path / "harmful.pt")
        assert not (tmp_path / "made").exists()


def test_what_does_not_fit_is_named(network: ImageQX, tmp_path: Path) -> None:
    state = network.state_dict()
    path = tmp_path / "theirs.pt"
    torch.save({k: v for k, v in state.items() if k != "features.4.1.block.0.0.weight"}, path)
    assert "a tensor is missing\n  where:    " + f"{path}: features.4.1.block.0.0.weight" in refuse(path)
    torch.save({**state, "quality_head.bias": torch.zeros(3)}, path)
    assert "quality_head.bias\n  expected: [4]\n  got:      [3]" in refuse(path)
    torch.save({**state, "quality_head.bias": torch.full((4,), torch.nan)}, path)
    assert "4 of 4 are NaN or infinite" in refuse(path)
    torch.save({"model": state, "model_ema": state}, path)
    assert "model_ema, model\n  try:      name one by --state" in refuse(path)
    assert "no tensors under that key" in refuse(path, state="weights")
    torch.save({"epoch": 3}, path)
    assert "holds no weights" in refuse(path)
    path.write_bytes(path.read_bytes()[:200])
    assert "not a whole file of torch.save or safetensors" in refuse(path)
    assert "no such file" in refuse(tmp_path / "nothing.pt")


def test_a_remedy_names_the_options_that_the_family_has(network: ImageQX, tmp_path: Path) -> None:
    """Duke IQA has no reasons, labels or side to give."""
    path, out = tmp_path / "theirs.safetensors", tmp_path / "ours.safetensors"
    assert [name for name in networks.list_options("duke-iqa") if name in ("reasons", "labels", "side")] == []
    for model, named in (("imageqx", True), ("duke-iqa", False)):
        state = networks.build(model).state_dict()
        first = next(iter(state))
        save_file(state | {first: state[first][:1].clone()}, path)
        with pytest.raises(CheckpointError, match="wrong shape") as caught:
            import_checkpoint(path, out, model=model)
        assert ("--reasons, --labels, --side" in (caught.value.remedy or "")) is named


def test_the_source_is_never_replaced(network: ImageQX, tmp_path: Path) -> None:
    path = tmp_path / "ours.safetensors"
    save_file(network.state_dict(), path)
    with pytest.raises(CheckpointError, match="replace its own source"):
        import_checkpoint(path, path)
    assert path.stat().st_size > 16e6


def test_every_refusal_of_a_foreign_file_names_the_command(network: ImageQX, tmp_path: Path) -> None:
    save_file(wrap("module.")(network.state_dict()), tmp_path / "theirs.safetensors")
    torch.save(network.state_dict(), tmp_path / "theirs.pt")
    for name in ("theirs.safetensors", "theirs.pt"):
        with pytest.raises(CheckpointError, match=f"imageqx import-checkpoint {tmp_path / name}") as caught:
            load_checkpoint(tmp_path / name)
        assert ("names that all begin with module." in str(caught.value)) is (name == "theirs.safetensors")


def test_the_command_says_what_it_took_and_what_is_missing(cli: Cli, tmp_path: Path) -> None:
    torch.save(wrap("module.")(efficientnet_b0(weights=None).state_dict()), tmp_path / "theirs.pth")
    result = cli("import-checkpoint", str(tmp_path / "theirs.pth"), "--out", str(tmp_path / "ours.safetensors"))
    assert result.returncode == 0
    assert "torchvision's, behind module." in result.stdout
    assert "random:        explanation_block.0.weight, explanation_block.0.bias" in result.stdout
    assert f"imageqx train --init {tmp_path / 'ours.safetensors'}" in result.stderr
    again = cli(
        "import-checkpoint", str(tmp_path / "theirs.pth"), "--out", str(tmp_path / "ours.safetensors"), "--json"
    )
    assert json.loads(again.stdout)["wrappers"] == ["module."]

"""Learning as it will be quantized: the graph, the gradient, the loss and the loop, on a network of four layers."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from imageqx_export.errors import TrainingError
from imageqx_export.networks.imageqx.network import Outputs
from imageqx_export.quantize.distillation import compute_distillation_loss
from imageqx_export.quantize.graph.simulate import simulate
from imageqx_export.quantize.qat.loop import Closeness, DistillationTask, QatConfig, learn
from imageqx_export.quantize.qat.student import (
    RoundThrough,
    Student,
    make_student,
    move_graph,
    prepare_for_training,
    run_teacher,
)
from imageqx_export.quantize.recipe import WEIGHT_LEVELS
from tests.quantize import tiny_network as tiny

if TYPE_CHECKING:
    from torch.fx import GraphModule

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*Found .* in .* which is not a registered:UserWarning"),
]
CPU = torch.device("cpu")
CONFIG = QatConfig(
    "checkpoint", "recipe", epochs=2, samples=256, batch_size=32, learning_rate=0.03, ema_decay=0.9, seed=1
)


@dataclass(frozen=True)
class Class:
    """A teacher, a student that has not learnt, and photos."""

    teacher: GraphModule
    student: Student
    subject: tiny.TinySubject
    photos: Tensor


@pytest.fixture(scope="module")
def room() -> Class:
    subject = tiny.subject()
    teacher = subject.capture_program()
    return Class(
        teacher, make_student(copy.deepcopy(teacher), subject.recipe), subject, torch.from_numpy(subject.photos.pixels)
    )


def lesson(room: Class, teacher: GraphModule | None = None) -> DistillationTask:
    def batch(epoch: int, step: int) -> Tensor:
        chosen = np.random.default_rng((epoch, step)).integers(0, len(room.photos), CONFIG.batch_size)
        return room.photos[chosen]

    return DistillationTask(room.student, teacher or room.teacher, batch, room.photos[:8], "photos")


def learnt(
    room: Class, state: Path, config: QatConfig = CONFIG, teacher: GraphModule | None = None, **more: Any
) -> list[Tensor]:
    more.setdefault("keep", lambda units, history: None)
    return learn(config, lesson(room, teacher), state, CPU, **more)


def loss(room: Class, units: list[Tensor]) -> float:
    wanted = run_teacher(room.teacher, room.student.matched, room.photos)
    with torch.no_grad():
        return float(compute_distillation_loss(room.student.run(units, room.photos), wanted))


def test_the_gradient_is_torchs_own() -> None:
    generator = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(4, 1000, generator=generator)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    slope = torch.randn(4, 1000, generator=generator)
    got = RoundThrough.apply(ours, 0.017, -128 - 5, 127 - 5)  # type: ignore[no-untyped-call]
    expected = torch.fake_quantize_per_tensor_affine(theirs, 0.017, 5, -128, 127)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-7)
    (got * slope).sum().backward()
    (expected * slope).sum().backward()  # type: ignore[no-untyped-call]
    assert ours.grad is not None and theirs.grad is not None
    assert torch.equal(ours.grad, theirs.grad)
    assert 0 < int((ours.grad == 0).sum()) < x.numel(), "nothing was clipped, or everything: the test proves nothing"


def test_forwards_it_is_what_is_simulated(room: Class) -> None:
    got = room.student.run(room.student.make_values()(), room.photos)[0]
    expected = simulate(room.teacher, room.subject.recipe, room.subject.photos.pixels)
    plain = simulate(room.teacher, None, room.subject.photos.pixels)
    assert list(got) == list(expected)
    for name, value in got.items():
        torch.testing.assert_close(value.detach(), torch.from_numpy(expected[name]), rtol=1e-5, atol=1e-6)
        assert not np.allclose(expected[name], plain[name], atol=1e-4), "nothing was rounded"


def test_converted_it_is_the_graph_that_is_exported(room: Class) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        from imageqx_export.quantize.graph.annotate import RecipeQuantizer

        recipe = room.subject.recipe
        exported = convert_pt2e(prepare_pt2e(copy.deepcopy(room.teacher), RecipeQuantizer(recipe)))
        trained = convert_pt2e(prepare_for_training(copy.deepcopy(room.teacher), recipe))
    kinds = [
        [str(node.target) for node in graph.graph.nodes if node.op == "call_function"] for graph in (exported, trained)
    ]
    assert kinds[0] == kinds[1]
    assert sum("dequantize_per_channel" in kind for kind in kinds[1]) >= len(recipe.weights)
    with torch.no_grad():
        for ours, theirs in zip(trained(room.photos), exported(room.photos), strict=True):
            assert torch.equal(ours, theirs)


def test_every_gradient_is_that_of_pytorchs_own_modules(room: Class) -> None:
    """Run the prepared graph as PyTorch does, with torchao's FakeQuantize modules, and compare."""
    units = room.student.make_values()
    answers, _ = room.student.run(units(), room.photos)
    (answers["quality"][:, 0] + answers["explanations"][:, 1]).sum().backward()  # type: ignore[no-untyped-call]
    graph = copy.deepcopy(room.student.graph)
    own = dict(graph.named_parameters())
    for parameter in own.values():
        parameter.requires_grad_()
    quality, explanations, _ = graph(room.photos)
    (quality[:, 0] + explanations[:, 1]).sum().backward()
    for row, value in zip(room.student.learnt, units(), strict=True):
        expected = own[row.name].grad
        assert expected is not None and value.grad is not None
        total = (expected * row.unit).float()
        torch.testing.assert_close(value.grad, total, rtol=2e-3, atol=1e-4 * float(total.abs().max()))
        assert float(total.abs().max()) > 0


def test_a_learner_runs_the_graph_with_other_parameters(room: Class) -> None:
    units = room.student.make_values()
    changed = [value + (1 if row.is_weight else 0) for row, value in zip(room.student.learnt, units(), strict=True)]
    one = room.student.run(changed, room.photos[:4])[0]
    graph = copy.deepcopy(room.student.graph)
    for name, value in room.student.scale_parameters(changed).items():
        graph.get_parameter(name).data = value.detach()
    torch.testing.assert_close(one["quality"].detach(), graph(room.photos[:4])[0], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(one["quality"], room.student.run(units(), room.photos[:4])[0]["quality"])


def test_moved_it_no_longer_asks_for_the_cpu(room: Class) -> None:
    def devices(graph: GraphModule) -> list[object]:
        return [node.kwargs["device"] for node in graph.graph.nodes if "device" in node.kwargs]

    graph = copy.deepcopy(room.teacher)
    found = devices(graph)
    assert found, "there was nothing to remove: the test proves nothing"
    before = graph(room.photos[:2])[0]
    assert move_graph(graph, CPU) == len(found)
    assert not devices(graph) and torch.equal(graph(room.photos[:2])[0], before)
    # Anywhere but the CPU will do: torch's own device without memory.
    assert move_graph(graph, torch.device("meta")) == 0
    elsewhere = graph(room.photos[:2].to("meta"))[0]
    assert elsewhere.device.type == "meta" and elsewhere.shape == before.shape


def test_only_int8_operations_learn(room: Class) -> None:
    names = {row.name for row in room.student.learnt}
    expected = {row.tensor.removesuffix(":conv") for row in room.subject.recipe.weights}
    assert {name.rpartition(".")[0] for name in names} == expected and len(names) == 2 * len(expected)


def test_rounded_weights_lie_on_their_grid(room: Class) -> None:
    units = [value + 0.3 for value in room.student.make_values()()]
    rounded = room.student.round_parameters(units)
    scales = {row.tensor.removesuffix(":conv"): np.array(row.scales) for row in room.subject.recipe.weights}
    for name, scale in scales.items():
        levels = rounded[f"{name}.weight"].detach().numpy().reshape(len(scale), -1) / scale[:, None]
        assert np.abs(levels - np.rint(levels)).max() < 1e-4 and np.abs(levels).max() <= WEIGHT_LEVELS[1] + 1e-4


def probabilities(generator: torch.Generator) -> Outputs:
    logits = torch.randn(6, 9, generator=generator)
    return Outputs(logits[:, :4].softmax(1), logits[:, 4:].sigmoid(), torch.zeros(0))


def test_the_loss_is_pytorchs_divergences(room: Class) -> None:
    generator = torch.Generator().manual_seed(3)
    own, truth = probabilities(generator), probabilities(generator)
    mine, theirs = torch.randn(2, 3, 4, 4, generator=generator).unbind(0)
    got = compute_distillation_loss((own._asdict(), {"a": mine}), (truth._asdict(), {"a": theirs}))
    quality = functional.kl_div(own.quality.log(), truth.quality, reduction="batchmean")
    cross = functional.binary_cross_entropy(own.explanations, truth.explanations)
    entropy = functional.binary_cross_entropy(truth.explanations, truth.explanations)
    features = functional.mse_loss(mine, theirs) / theirs.square().mean()
    torch.testing.assert_close(got, quality + cross - entropy + features)
    same = own._asdict(), {"a": mine}
    assert float(compute_distillation_loss(same, same)) == pytest.approx(0, abs=1e-6)


def test_the_loss_of_a_binary_decision_counts_every_output_of_probabilities() -> None:
    draws = torch.rand(2, 6, 9, generator=torch.Generator().manual_seed(4)).mul(0.9).add(0.05).unbind(0)
    own, truth = ({"good": one[:, :1], "ranks": one[:, :4], "regions": one[:, 4:]} for one in draws)
    parts = [
        functional.binary_cross_entropy(own[name], truth[name])
        - functional.binary_cross_entropy(truth[name], truth[name])
        for name in own
    ]
    torch.testing.assert_close(compute_distillation_loss((own, {}), (truth, {})), torch.stack(parts).sum())


def test_the_loss_of_certain_answers_is_a_number() -> None:
    sure = Outputs(
        torch.tensor([[1.0, 0, 0, 0]], requires_grad=True), torch.tensor([[1.0, 0, 1, 0, 1]]), torch.zeros(0)
    )
    wrong = Outputs(torch.tensor([[0.0, 1, 0, 0]]), torch.tensor([[0.0, 1, 0, 1, 0]]), torch.zeros(0))
    value = compute_distillation_loss((sure._asdict(), {}), (wrong._asdict(), {}))
    value.backward()  # type: ignore[no-untyped-call]
    assert value.isfinite() and float(value.detach()) > 1
    assert sure.quality.grad is not None and bool(sure.quality.grad.isfinite().all())


def test_it_learns(room: Class, tmp_path: Path) -> None:
    told: list[tuple[int, float, Closeness]] = []
    config = QatConfig(**{**vars(CONFIG), "epochs": 4})
    units = learnt(room, tmp_path / "state", config, report=lambda *row: told.append(row))
    assert loss(room, units) < 0.8 * loss(room, room.student.make_values()())
    assert [row[0] for row in told] == [0, 1, 2, 3, 4] and np.isnan(told[0][1]) and told[4][1] < told[1][1]


def test_it_resumes_to_the_bit(room: Class, tmp_path: Path) -> None:
    whole = learnt(room, tmp_path / "whole")
    again = learnt(room, tmp_path / "again")
    assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True)), "two runs differ"
    kept: list[int] = []

    def keep(units: list[Tensor], history: list[dict[str, Any]]) -> None:
        kept.append(len(history))

    def stop(epoch: int, loss: float, closeness: Closeness) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learnt(room, tmp_path / "parts", report=stop, keep=keep)
    resumed = learnt(room, tmp_path / "parts", keep=keep)
    assert kept == [1, 2]
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(whole, room.student.make_values()(), strict=True))


def test_a_state_of_another_recipe_is_refused(room: Class, tmp_path: Path) -> None:
    config = QatConfig(**{**vars(CONFIG), "epochs": 1, "samples": 32})
    learnt(room, tmp_path / "state", config)
    with pytest.raises(TrainingError, match="other values for recipe_sha256"):
        learnt(room, tmp_path / "state", QatConfig(**{**vars(config), "recipe_sha256": "other"}))


def test_a_loss_that_is_not_a_number_ends_it(room: Class, tmp_path: Path) -> None:
    broken = copy.deepcopy(room.teacher)
    next(iter(broken.parameters())).data.fill_(float("nan"))
    with pytest.raises(TrainingError, match="the training diverged"):
        learnt(room, tmp_path / "state", teacher=broken)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changed",
    [{"epochs": 0}, {"learning_rate": float("nan")}, {"learning_rate": 0.0}, {"ema_decay": 1.5}, {"seed": -1}],
)
def test_a_configuration_that_makes_no_sense_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="must"):
        QatConfig(**{**vars(CONFIG), **changed})

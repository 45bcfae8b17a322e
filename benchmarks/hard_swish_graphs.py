"""The graphs of :mod:`benchmarks.bench_hard_swish`: the project's own network with another activation."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, fx, nn

from imageqx_export.support.progress import bar

if TYPE_CHECKING:
    from imageqx_export.evaluation.accuracy_loss import Accuracy

CHECKPOINT = Path("models/imageqx.safetensors")
OBSERVED_IMAGES = 4
SEED = 2**31 + 9
PARTS = 6.0
LEARNT_FROM, HELD_OUT, TEST = 2048, 256, 2000
# In steps of 1/127 of a channel's largest weight. It is looked at so often, so that one sees whether more would help.
RATE, LOOKS = 0.01, 6


class Integers(nn.Module):
    """Hard-swish, six times as large: x · (x + 3), where quantization clips the sum to 0…6.

    Args:
        clip: Whether to clip in float too, and to divide by six, which gives hard-swish itself.
    """

    three: Tensor

    def __init__(self, clip: bool) -> None:
        super().__init__()
        self.clip = clip
        self.register_buffer("three", torch.full((1, 1, 1, 1), PARTS / 2))

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of [N,C,H,W]."""
        total = x + self.three
        return x * total.clamp(0, PARTS) / PARTS if self.clip else x * total


def built(kind: str, *, fold: bool = True, biases: bool = True) -> Any:
    """Return the quantized graph with one kind of activation; arguments as for quantize.build."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    program = captured(kind, clip=False)
    return convert_pt2e(prepare_pt2e(program, _quantizer(_recipe(kind), biases)), fold_quantize=fold)


def captured(kind: str, *, clip: bool, any_batch: bool = False) -> Any:
    """Return the float graph with one kind of activation."""
    from imageqx_export.checkpoint import load_checkpoint
    from imageqx_export.quantize.graph.capture import QUANTIZABLE, Swish, traced

    QUANTIZABLE[torch.ops.aten.hardswish.default] = "hard_swish"  # in this process, so that it is named and quantized
    makers: dict[str, Callable[[], nn.Module]] = {
        "sigmoid": Swish,
        "operator": nn.Hardswish,
        "integers": lambda: Integers(clip),
        "none": nn.Identity,
    }
    graph = load_checkpoint(CHECKPOINT)[1].fold("NHWC")
    _replace(graph, makers[kind])
    return traced(graph, torch.zeros(2 if any_batch else 1, 224, 224, 3, dtype=torch.uint8), any_batch=any_batch)


def _replace(module: nn.Module, make: Callable[[], nn.Module]) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.SiLU):
            setattr(module, name, make())
        else:
            _replace(child, make)


def _recipe(kind: str) -> Any:
    """Return a recipe as the project makes them; ranges of a few images, as only the time counts."""
    from imageqx_export.data.held_out import painted_samples
    from imageqx_export.quantize.calibration.observe import observe
    from imageqx_export.quantize.graph.capture import tensors
    from imageqx_export.quantize.plan import Seen, decided
    from imageqx_export.quantize.recipe import CalibrationSet, Rewrites

    program = captured(kind, clip=True, any_batch=True)
    seen = observe(program, painted_samples(OBSERVED_IMAGES, SEED).pixels)
    some = CalibrationSet(images=OBSERVED_IMAGES, sha256="0" * 64, source="painted samples")
    recipe = decided(Seen(program, Rewrites(), seen), "0" * 64, some, observers="minmax")
    if kind == "none":  # whose ranges, a linear network's, differ by more than kernels can rescale
        same = {"scale": 0.05, "zero_point": 0}
        rows = [row if row.observer == "fixed" else row.model_copy(update=same) for row in recipe.activations]
        return recipe.model_copy(update={"activations": tuple(rows)})
    if kind != "integers":
        return recipe
    fixed = {"scale": float(np.float32(PARTS / 255)), "zero_point": -128, "observer": "fixed"}
    sums = _sums_with_constants(program)
    names = set(tensors(captured(kind, clip=False)))  # which has no division
    rows = [
        row.model_copy(update=fixed) if row.tensor in sums else row for row in recipe.activations if row.tensor in names
    ]
    return recipe.model_copy(update={"activations": tuple(rows)})


def _sums_with_constants(program: Any) -> set[str]:
    from imageqx_export.quantize.graph.capture import kind_of, tensors

    return {
        name
        for name, node in tensors(program).items()
        if kind_of(node) == "add" and any(source.op == "get_attr" for source in node.all_input_nodes)
    }


def _quantizer(recipe: Any, biases: bool) -> Any:
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    from imageqx_export.quantize.graph.annotate import RecipeQuantizer, activation_spec
    from imageqx_export.quantize.graph.capture import kind_of, tensors
    from imageqx_export.quantize.recipe import ActivationScale

    spec = activation_spec(
        ActivationScale(tensor="three", scale=float(np.float32(PARTS / 2 / 255)), zero_point=-128, observer="fixed")
    )
    int8 = {row.tensor for row in recipe.activations}

    class WithConstants(RecipeQuantizer):
        """Round what is added to an int8 tensor too."""

        def annotate(self, model: Any) -> Any:
            annotated = super().annotate(model)
            for name, node in tensors(annotated).items():
                for producer in node.all_input_nodes:
                    if name in int8 and kind_of(node) == "add" and producer.op == "get_attr":
                        node.meta[Q_ANNOTATION_KEY].input_qspec_map[producer] = spec
            return annotated

    return WithConstants(recipe, biases=biases)


class Distilled(NamedTuple):
    """Hold what distillation reached.

    Args:
        looks: How near the student was on validation samples, before and as it learnt: mean |Δ| and equal labels.
        cost: What its answers cost on test samples, against the teacher's.
    """

    looks: list[dict[str, float]]
    cost: Accuracy


def distilled(steps: int, batch: int) -> Distilled:
    """Teach the float network with hard-swish what the one with SiLU answers.

    Args:
        steps: Of the optimizer; what they are made of is painted.
        batch: Samples a step.
    """
    from imageqx_export.checkpoint import load_checkpoint
    from imageqx_export.data.held_out import painted_samples
    from imageqx_export.data.sources import Sources, held_out_photos
    from imageqx_export.evaluation.accuracy_loss import accuracy
    from imageqx_export.quantize.qat.loop import Closeness, Lesson, QatConfig, answers, learn
    from imageqx_export.quantize.qat.student import Student

    teacher, program = (captured(kind, clip=True, any_batch=True) for kind in ("sigmoid", "operator"))
    samples = torch.from_numpy(painted_samples(LEARNT_FROM, SEED + 1).pixels)
    held_out = torch.from_numpy(painted_samples(HELD_OUT, SEED + 2).pixels)
    each = -(-steps // LOOKS)
    config = QatConfig("", "", epochs=-(-steps // each), samples=each * batch, batch_size=batch, learning_rate=RATE)

    def some(epoch: int, step: int) -> Tensor:
        return samples[np.random.default_rng((SEED, epoch, step)).integers(0, len(samples), batch)]

    looks: list[dict[str, float]] = []

    def tell(epoch: int, loss: float, near: Closeness) -> None:
        looks.append({"steps": float(epoch * each), **vars(near)})

    who, here = Student(program, _everything(program), _sums(program), {}), torch.device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        units = learn(
            config,
            Lesson(who, teacher, some, held_out, ""),
            Path(folder) / "state",
            here,
            keep=lambda units, history: None,
            progress=bar,
            report=tell,
        )
    own = dict(program.named_parameters())
    for name, value in who.parameters(units).items():
        own[name].data = value
    test = held_out_photos("test", Sources(None, None, None), TEST, progress=bar)
    given = [answers(graph, torch.from_numpy(test.pixels), here)._asdict() for graph in (teacher, program)]
    before, after = ({name: value.numpy() for name, value in outputs.items()} for outputs in given)
    return Distilled(looks, accuracy(before, after, test, load_checkpoint(CHECKPOINT)[0].spec))


def _everything(program: Any) -> tuple[Any, ...]:
    """Return every convolution's weight and bias, in steps of 1/127 of its largest value, as fine-tuning counts."""
    from imageqx_export.quantize.calibration.ranges import weight_scales
    from imageqx_export.quantize.graph.capture import kind_of, tensors
    from imageqx_export.quantize.qat.student import Learnt

    own, found = dict(program.named_parameters()), []
    for name, node in tensors(program).items():
        targets = [str(part.target) for part in node.args[1:3] if kind_of(node) == "conv" and isinstance(part, fx.Node)]
        if len(targets) == 2:  # attention's has no bias, and is a head
            weight, bias = targets
            scales = torch.tensor(weight_scales(name, own[weight]).scales)
            found.append(Learnt(weight, scales[:, None, None, None], True))
            found.append(Learnt(bias, own[bias].detach().abs().max().clamp_min(1e-6) / 127, False))
    return tuple(found)


def _sums(program: Any) -> tuple[str, ...]:
    from imageqx_export.quantize.graph.capture import kind_of, tensors
    from imageqx_export.quantize.qat.student import POOLED

    return (*(name for name, node in tensors(program).items() if kind_of(node) == "add" and "." in name), POOLED)

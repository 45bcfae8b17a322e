"""Say what each layer costs: quantize it alone, and compare its output, and the decisions, with the float network's.

Half of each run would repeat what the float network does before the layer, so a block's layers are measured together:
the float network is run once up to the block, and from there once per layer. Each layer's figures are kept as soon as
its block is done, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.evaluation.accuracy_loss import POINTS, macro_f1
from imageqx_export.evaluation.questions import ask, name_main_output
from imageqx_export.quantize.graph.capture import capture
from imageqx_export.quantize.graph.interpreter import TensorHook, split_into_batches
from imageqx_export.quantize.graph.simulate import join_outputs, prepare_rounding
from imageqx_export.quantize.recipe import Recipe
from imageqx_export.quantize.sensitivity.cache import NO_CACHE, Cache, make_key
from imageqx_export.quantize.sensitivity.partial import PartialInterpreter, Values, find_layers, group_by_block
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.processes import start_process_pool
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from imageqx_export.networks.base import Network

_Sums = dict[str, tuple[float, float]]
TINY = 1e-300


class LayerLoss(Frozen):
    """The cost of one layer when it alone is quantized, with its weight.

    Args:
        layer: Its name: that of the operation with the weight.
        operations: The operations that are quantized with it.
        sqnr_db: Of the layer's last tensor: signal's power over error's, in dB.
        mean_abs: Mean |Δ| of the labels' probabilities.
        quality: Loss of the labels' macro-F1, in points.
        explanations: Loss of the reasons' macro-F1, in points.
    """

    layer: str
    operations: tuple[str, ...]
    sqnr_db: float
    mean_abs: float
    quality: float
    explanations: float


@dataclass(frozen=True)
class Subject:
    """A recipe of a network, and the photos that it is measured on.

    Args:
        network: The trained network, eval mode.
        recipe: How it is quantized.
        photos: What it is measured on.
        spec: Has the thresholds.
    """

    network: Network
    recipe: Recipe
    photos: LabelledPhotos
    spec: ModelSpec

    def capture_program(self) -> GraphModule:
        """Return the captured float graph that the recipe quantizes."""
        return capture(self.network, batch=None, rewrites=self.recipe.rewrites)

    def make_key(self, *more: object) -> str:
        """Return what measurements of this are kept under."""
        photos, spec = self.photos, self.spec
        digest = hashlib.sha256(photos.pixels.tobytes())
        for labels in (photos.quality, photos.reasons):
            digest.update(np.ascontiguousarray(labels).tobytes())
        thresholds = [spec.thresholds, spec.poor_quality_threshold]
        if spec.binary is not None:
            thresholds.append(spec.binary.threshold)
        return make_key(self.recipe, digest.hexdigest(), thresholds, *more)


def measure_layers(
    subject: Subject,
    *,
    names: Iterable[str] | None = None,
    cache: Cache = NO_CACHE,
    jobs: int = 1,
    progress: Progress = silent,
) -> tuple[LayerLoss, ...]:
    """Measure each layer of a recipe.

    Args:
        subject: What is measured.
        names: Which layers; None for all.
        cache: Where figures are kept.
        jobs: Processes.
        progress: Opens a bar over layers.

    Returns:
        One a layer, in the graph's order.
    """
    program = subject.capture_program()
    found = find_layers(program, subject.recipe)
    wanted = [layer for layer in found if names is None or layer in set(names)]
    keys = {layer: subject.make_key(layer) for layer in wanted}
    known = {layer: row for layer in wanted if (row := cache.get(keys[layer], LayerLoss)) is not None}
    groups = group_by_block({layer: found[layer] for layer in wanted if layer not in known})
    with progress("one layer at a time", len(wanted)) as advance:
        for _ in known:
            advance()
        for rows in _measure_groups(subject, program, groups, jobs):
            for row in rows:
                cache.put(keys[row.layer], row)
                known[row.layer] = row
                advance()
    return tuple(known[layer] for layer in wanted)


def _measure_groups(
    subject: Subject, program: GraphModule, groups: Sequence[tuple[str, ...]], jobs: int
) -> Iterator[list[LayerLoss]]:
    if jobs <= 1 or len(groups) <= 1:
        for group in groups:
            yield measure_group(subject, program, group)
        return
    threads = max(1, torch.get_num_threads() // jobs)
    with start_process_pool(min(jobs, len(groups)), _start_process, (subject, threads)) as processes:
        for future in as_completed([processes.submit(_measure_in_process, group) for group in groups]):
            yield future.result()


# What a process measures: sent to it once, and not with every block.
_process_subject: list[tuple[Subject, GraphModule]] = []


def _start_process(subject: Subject, threads: int) -> None:
    torch.set_num_threads(threads)
    _process_subject.append((subject, subject.capture_program()))


def _measure_in_process(group: tuple[str, ...]) -> list[LayerLoss]:
    return measure_group(*_process_subject[0], group)


def measure_group(subject: Subject, program: GraphModule, group: tuple[str, ...]) -> list[LayerLoss]:
    """Measure layers of one block.

    Args:
        subject: What is measured.
        program: Its captured graph.
        group: The layers' names, the first in the graph first.
    """
    operations = find_layers(program, subject.recipe)
    middle = PartialInterpreter(program, operations[group[0]][0])
    rows: dict[str, list[tuple[Tensor, ...]]] = {layer: [] for layer in ("", *group)}
    sums: _Sums = dict.fromkeys(group, (0.0, 0.0))
    last = {operations[layer][-1]: layer for layer in group}
    roundings = {layer: prepare_rounding(program, subject.recipe, operations[layer]) for layer in group}
    with torch.inference_mode():
        for batch in split_into_batches(subject.photos.pixels):
            values = middle.reach(batch)
            truth: dict[str, Tensor] = {}

            def keep(name: str, value: Tensor, truth: dict[str, Tensor] = truth) -> None:
                if name in last:
                    truth[last[name]] = value.clone()  # additions are made in place

            rows[""].append(middle.run(values, keep))
            for layer in group:
                outputs, power, error = _run_layer(
                    middle, values, roundings[layer], operations[layer][-1], truth[layer]
                )
                rows[layer].append(outputs)
                sums[layer] = sums[layer][0] + power, sums[layer][1] + error
    reference = join_outputs(program, rows[""])
    return [
        _make_layer_loss(subject, layer, operations[layer], sums[layer], reference, join_outputs(program, rows[layer]))
        for layer in group
    ]


def _run_layer(
    middle: PartialInterpreter, values: Values, how: tuple[TensorHook, dict[str, Tensor]], last: str, truth: Tensor
) -> tuple[tuple[Tensor, ...], float, float]:
    """Return the outputs with one layer quantized, and its last tensor's power and error."""
    hook, parameters = how
    found = [0.0, 0.0]

    def compare(name: str, value: Tensor) -> Tensor | None:
        other = hook(name, value)
        if name == last:
            got = value if other is None else other
            found[0] += float(truth.double().square().sum())
            found[1] += float((got - truth).double().square().sum())
        return other

    outputs = middle.run(values, compare, parameters)
    return outputs, found[0], found[1]


def _make_layer_loss(
    subject: Subject,
    layer: str,
    operations: tuple[str, ...],
    sums: tuple[float, float],
    before: Outputs,
    after: Outputs,
) -> LayerLoss:
    asked = [ask(outputs, subject.photos, subject.spec) for outputs in (before, after)]
    quality = [POINTS * macro_f1(one.labels, one.decided) for one in asked]
    explanations = [POINTS * macro_f1(one.truth, one.given) for one in asked]
    main = name_main_output(subject.spec)
    power, error = sums
    return LayerLoss(
        layer=layer,
        operations=operations,
        sqnr_db=10 * math.log10(max(power, TINY) / max(error, TINY)),
        mean_abs=float(np.abs(before[main].astype(np.float64) - after[main]).mean()),
        quality=quality[0] - quality[1],
        explanations=explanations[0] - explanations[1],
    )

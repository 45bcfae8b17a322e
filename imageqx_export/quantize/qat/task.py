"""Prepare what a fine-tuning learns: the student, its teacher, and samples as training makes them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from imageqx_export.data.degradations import Degrader
from imageqx_export.data.folder import read_folder
from imageqx_export.data.sample_plan import plan_clean, plan_samples
from imageqx_export.data.settings import PhotoSettings
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.quantize.qat.loop import DistillationTask, QatConfig
from imageqx_export.quantize.qat.student import make_student, move_graph
from imageqx_export.quantize.recipe import Recipe
from imageqx_export.support.processes import quiet
from imageqx_export.support.progress import Progress
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.loop import TrainingData
from imageqx_export.training.stage import gather_data

if TYPE_CHECKING:
    from torch.fx import GraphModule

_TRAINING = 2  # what random numbers are for: the second part of their key; training has 0 and 1


def prepare_task(
    config: QatConfig,
    sources: Sources,
    settings: PhotoSettings,
    recipe: Recipe,
    programs: tuple[GraphModule, GraphModule],
    device: torch.device,
    progress: Progress,
) -> tuple[DistillationTask, dict[str, Any]]:
    """Return who learns from whom on what, on its device, and the data's facts for the weights' provenance."""
    folder = None if sources.photos is None else read_folder(sources.photos, settings=settings, progress=progress)
    validation = load_held_out(
        "val", sources, config.validation_samples, folder=folder, settings=settings, progress=progress
    )
    gathering = TrainingConfig(seed=config.seed, synthetic_scenes=config.synthetic_scenes)
    data = gather_data(gathering, sources, folder, validation, settings=settings, progress=progress)
    with quiet():  # torch and torchao warn of their own insides
        start, teacher = (copy.deepcopy(program) for program in programs)
        student = make_student(start, recipe)
        for graph in (teacher, student.graph):
            move_graph(graph, device)
    photos = torch.from_numpy(validation.pixels)
    task = DistillationTask(student, teacher, _make_batches(config, settings, data, device), photos, data.digest())
    return task, data.facts


def _make_batches(
    config: QatConfig, settings: PhotoSettings, data: TrainingData, device: torch.device
) -> Callable[[int, int], Tensor]:
    """Return what makes the samples of a step: as training makes them, and some that are clean."""
    room = Degrader(data.bank, device)
    clean = round(config.batch_size * config.clean_share)

    def batch(epoch: int, step: int) -> Tensor:
        key, count = (config.seed, _TRAINING, epoch, step), config.batch_size - clean
        drawn = plan_samples(data.bank, key, count, config.photo_share, config.rated_share, between=settings.between)
        plans = (drawn, plan_clean(data.bank, key, clean)) if clean else (drawn,)
        return torch.cat([room.degrade(plan, settings.side) for plan in plans]).to(torch.uint8)

    return batch

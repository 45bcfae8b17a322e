"""imageqx-export: one checkpoint, twelve verified files for phones.

The names here are the public ones; each is loaded when it is first used, so that importing the package is quick.

>>> import imageqx_export
>>> imageqx_export.ImageQXError("no such file").what
'no such file'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imageqx_export.artifact import (
        Artifact,
        Calibration,
        Checkpoint,
        Format,
        Manifest,
        ModelSpec,
        Precision,
        Preprocessing,
        TensorSpec,
    )
    from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
    from imageqx_export.data.labels import LabelledPhotos
    from imageqx_export.data.sources import Sources
    from imageqx_export.errors import ImageQXError
    from imageqx_export.evaluation.result import Evaluation
    from imageqx_export.evaluation.stage import evaluate
    from imageqx_export.export.stage import ExportConfig, ExportResult, export_checkpoint
    from imageqx_export.parity.compare import ParityReport
    from imageqx_export.parity.stage import compare_artifacts
    from imageqx_export.predict.verdict import Verdict, judge_photos
    from imageqx_export.preprocess import load_pixels
    from imageqx_export.quantize.model import QuantizedModel
    from imageqx_export.quantize.recipe import Recipe
    from imageqx_export.quantize.stage import make_recipe, read_recipe, write_recipe
    from imageqx_export.runtimes import load_runtime
    from imageqx_export.runtimes.base import Runtime
    from imageqx_export.thresholds.stage import choose_thresholds
    from imageqx_export.training.config import TrainingConfig
    from imageqx_export.training.stage import train

__version__ = "0.1.0"
_ROOMS = {
    "artifact": (
        "Artifact",
        "Calibration",
        "Checkpoint",
        "Format",
        "Manifest",
        "ModelSpec",
        "Precision",
        "Preprocessing",
        "TensorSpec",
    ),
    "checkpoint": ("load_checkpoint", "save_checkpoint"),
    "data.labels": ("LabelledPhotos",),
    "data.sources": ("Sources",),
    "errors": ("ImageQXError",),
    "evaluation.result": ("Evaluation",),
    "evaluation.stage": ("evaluate",),
    "export.stage": ("ExportConfig", "ExportResult", "export_checkpoint"),
    "parity.compare": ("ParityReport",),
    "parity.stage": ("compare_artifacts",),
    "predict.verdict": ("Verdict", "judge_photos"),
    "preprocess": ("load_pixels",),
    "quantize.model": ("QuantizedModel",),
    "quantize.recipe": ("Recipe",),
    "quantize.stage": ("make_recipe", "read_recipe", "write_recipe"),
    "runtimes": ("load_runtime",),
    "runtimes.base": ("Runtime",),
    "thresholds.stage": ("choose_thresholds",),
    "training.config": ("TrainingConfig",),
    "training.stage": ("train",),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}
__all__ = [
    "Artifact",
    "Calibration",
    "Checkpoint",
    "Evaluation",
    "ExportConfig",
    "ExportResult",
    "Format",
    "ImageQXError",
    "LabelledPhotos",
    "Manifest",
    "ModelSpec",
    "ParityReport",
    "Precision",
    "Preprocessing",
    "QuantizedModel",
    "Recipe",
    "Runtime",
    "Sources",
    "TensorSpec",
    "TrainingConfig",
    "Verdict",
    "choose_thresholds",
    "compare_artifacts",
    "evaluate",
    "export_checkpoint",
    "judge_photos",
    "load_checkpoint",
    "load_pixels",
    "load_runtime",
    "make_recipe",
    "read_recipe",
    "save_checkpoint",
    "train",
    "write_recipe",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'imageqx_export' has no attribute '{name}'")
    return getattr(importlib.import_module(f"imageqx_export.{_HOMES[name]}"), name)

"""Check the robustness of a file: a checkpoint or an artifact, on a folder of photos or on synthetic scenes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imageqx_export.data.bank import Bank
from imageqx_export.data.folder import read_folder
from imageqx_export.data.held_out import SEEDS
from imageqx_export.data.labels import Split
from imageqx_export.data.scenes import SCENE_KINDS, render_scenes
from imageqx_export.data.settings import PhotoSettings, choose_settings
from imageqx_export.decisions import apply_thresholds
from imageqx_export.errors import DatasetError, UnknownNameError
from imageqx_export.evaluation.robustness.check import measure_robustness
from imageqx_export.evaluation.robustness.picture import draw_rows
from imageqx_export.evaluation.robustness.render import to_json, to_markdown
from imageqx_export.evaluation.robustness.result import Robustness
from imageqx_export.runtimes import load_photo_model
from imageqx_export.support.folders import Layout, stage_folder
from imageqx_export.support.progress import Progress, silent

FILES = ("robustness.json", "robustness.md", "robustness.png")
LAYOUT = Layout.of_names("a check of robustness", FILES)
_SPLITS: tuple[Split, ...] = ("test", "val")


@dataclass(frozen=True)
class RobustnessConfig:
    """The parameters of a file's check.

    Args:
        file: A checkpoint, .onnx, .tflite or .mlpackage.
        out: The folder to write; an earlier check there is replaced.
        photos: A folder as training takes it, of which one held-out side is degraded; None for synthetic scenes.
        split: ``"test"`` or ``"val"``.
        samples: At most so many photos, as many of each class as there are.
        thresholds: A clinic's own thresholds, in place of the file's; or None.
    """

    file: Path
    out: Path
    photos: Path | None = None
    split: str = "test"
    samples: int = 1000
    thresholds: Path | None = None


def check_file(config: RobustnessConfig, *, progress: Progress = silent) -> Robustness:
    """Degrade held-out photos in every kind, ask the file about them, and write the table and the picture.

    Args:
        config: Which file, on which photos, and where to.
        progress: Opens bars.

    Raises:
        UnknownNameError: There is no such split.
        DatasetError: The photos cannot be used.
        ArtifactError: The file cannot be run.
        ImageQXError: ``out`` has something else in it.
    """
    side = next((name for name in _SPLITS if name == config.split), None)
    if side is None:
        raise UnknownNameError("split to evaluate on", config.split, _SPLITS)
    LAYOUT.check_place(config.out)
    runtime = load_photo_model(config.file)
    spec = runtime.spec if config.thresholds is None else apply_thresholds(runtime.spec, config.thresholds)
    bank, source = _find_photos(config, side, choose_settings(spec), progress)
    found = measure_robustness(runtime, bank, model_name=config.file.name, source=source, spec=spec, progress=progress)
    with stage_folder(config.out, LAYOUT) as staging:
        (staging.path / FILES[0]).write_text(json.dumps(to_json(found), indent=2) + "\n", encoding="utf-8")
        (staging.path / FILES[1]).write_text(to_markdown(found), encoding="utf-8")
        draw_rows(found).save(staging.path / FILES[2])
        staging.publish()
    return found


def _find_photos(
    config: RobustnessConfig, side: Split, settings: PhotoSettings, progress: Progress
) -> tuple[Bank, str]:
    """Return photos that are good as they are, and where they come from."""
    if config.photos is None:
        # Two thirds of the scenes are good as they are drawn.
        count = max(SCENE_KINDS, config.samples * 3 // 2)
        bank = render_scenes(SEEDS[side], count, side=settings.side, progress=progress)
        bank = bank.take(np.flatnonzero(bank.reasons.sum(1) == 0))
        source = f"synthetic scenes of the {side} seed"
    else:
        bank = read_folder(config.photos, settings=settings, progress=progress).side(side)
        source = f"the {side} side of {config.photos.name}"
    if len(bank) == 0:
        raise DatasetError(
            f"no photo on the {side} side",
            where=config.photos,
            expected="a group (patient, person or series) that is held out",
            remedy="add photos of other groups, or leave --photos out",
        )
    return _take_evenly(bank, config.samples), source


def _take_evenly(bank: Bank, most: int) -> Bank:
    """Take at most so many photos: of each class as many, as far as it has them."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(bank))
    rank = np.empty(len(bank), np.int64)  # the how-manieth of its class
    for label in np.unique(bank.quality):
        rows = order[bank.quality[order] == label]
        rank[rows] = np.arange(len(rows))
    return bank.take(np.sort(order[np.argsort(rank[order], kind="stable")][:most]))

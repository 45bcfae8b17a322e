"""The commands that are killed: what each writes, small enough to be killed often, and when that is whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imageqx_export.bench.history import append_run, load_history
from imageqx_export.budgets.limits import SHIPPED
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.support.files import digest
from tests.bench.tiny import tiny_folder
from tests.report.fakes import bench_run, measurement

CHECKPOINT = Path("models/imageqx.safetensors").absolute()
RECIPE = Path("models/imageqx.w8a8.json").absolute()

Describe = Callable[[Path], Mapping[str, str]]


@dataclass(frozen=True)
class Materials:
    """What the commands read, and none may change.

    Args:
        photos: Two.
        tiny: A folder of artifacts that do next to nothing, with a manifest.
        history: Runs of them.
        exported: A folder with one artifact of the shipped checkpoint.
    """

    photos: tuple[Path, ...]
    tiny: Path
    history: Path
    exported: Path


@dataclass(frozen=True)
class Command:
    """A command whose only output is in one folder.

    Args:
        words: Of the command line, given what it reads and the folder.
        share: Of the kills that a quick command gets.
        codes: The exit codes of a run that nobody disturbs.
        describe: What of the output must be as before after a kill: file → digest, or what stands for it.
    """

    words: Callable[[Materials, Path], list[str | Path]]
    share: float = 1.0
    codes: tuple[int, ...] = (0,)
    describe: Describe | None = None


def make_materials(folder: Path, exported: Path) -> Materials:
    """Write photos, and artifacts with three runs of them; what is exported is the caller's to make."""
    photos = []
    for k in range(2):
        noise = np.random.default_rng(k).integers(0, 255, (300, 400, 3), np.uint8)
        photos.append(folder / f"{k}.png")
        Image.fromarray(noise).save(photos[-1])
    tiny = tiny_folder(folder / "tiny", coreml=False)
    rows = [f"{k}.png,one,L98.9,,{side}" for k, side in enumerate(("train", "val", "test"))]
    (folder / "ratings.csv").write_text("\n".join(["image,rater,evaluation,reasons,split", *rows, ""]))
    control, history = np.random.default_rng(0), folder / "history.jsonl"
    artifacts = read_manifest(tiny).artifacts
    for number in range(3):
        made = [measurement(control, str(one.path), size=one.size_bytes) for one in artifacts]
        made = [row.model_copy(update={"sha256": one.sha256}) for row, one in zip(made, artifacts, strict=True)]
        append_run(history, bench_run(number, made))
    return Materials(tuple(photos), tiny, history, exported)


def _describe_history(out: Path) -> dict[str, str]:
    """Return the first run, which stays, of a history that grows; each line must be whole."""
    runs = load_history(out / "history.jsonl")
    return {"first run": runs[0].run_id}


def _describe_training(out: Path) -> dict[str, str]:
    """Return what a checkpoint is of, and its card; a run that is killed may have written a newer one."""
    checkpoint, _ = load_checkpoint(out / "x.safetensors")
    return {"network": checkpoint.spec.name, "card": str((out / "x.md").is_file())}


def _describe_finetuned(out: Path) -> dict[str, str]:
    """Return whether the recipe and the weights that it names fit each other."""
    weights = json.loads((out / "x.json").read_bytes())["finetuned"]
    return {"weights": str(digest(out / weights["weights"]) == weights["sha256"])}


def _export(formats: str, precisions: str) -> Callable[[Materials, Path], list[str | Path]]:
    def words(_: Materials, out: Path) -> list[str | Path]:
        chosen = ["--formats", formats, "--precisions", precisions]
        return ["export", *chosen, "--checkpoint", CHECKPOINT, "--out", out, "--budgets", SHIPPED]

    return words


def _compare(history: Path) -> list[str | Path]:
    return ["--baseline", history, "--current", history, "--history", history]


def _name_thresholds(out: Path) -> list[str | Path]:
    return ["--out", out / "x.safetensors", "--thresholds-out", out / "clinic.json"]


# Seventeen scenes are the fewest: one of each kind.
_FEW = [
    *("--samples", "4", "--batch-size", "2", "--validation-samples", "17"),
    *("--synthetic-scenes", "17", "--held-out-samples", "40"),
]
_TRAIN = [*_FEW, *["--epochs", "2", "--small-epochs", "2", "--small-size", "32"]]
_FINETUNE: list[str | Path] = [*_FEW, "--epochs", "1", "--recipe", RECIPE]
_QUANTIZE = ["--precision", "w8", "--samples", "8"]
_THRESHOLDS = ["--youden", "--samples", "40"]

COMMANDS: dict[str, Command] = {
    "predict": Command(
        lambda m, out: ["predict", *m.photos, "--artifact", CHECKPOINT, "--attention", out / "map.png"],
    ),
    "export": Command(_export("onnx", "fp32,fp16"), 0.2),
    "parity": Command(lambda m, out: ["parity", m.exported, "--checkpoint", CHECKPOINT], 0.2),
    "lint": Command(lambda m, out: ["lint", m.exported]),
    "train": Command(
        lambda m, out: ["train", "--init", CHECKPOINT, *_TRAIN, "--out", out / "x.safetensors", "--fresh"],
        0.2,
        describe=_describe_training,
    ),
    "finetune": Command(
        lambda m, out: ["finetune", "--checkpoint", CHECKPOINT, *_FINETUNE, "--out", out / "x.json", "--fresh"],
        0.1,
        (0, 1),  # over its budget, of course: it learns from four samples
        _describe_finetuned,
    ),
    "quantize": Command(
        lambda m, out: ["quantize", "--checkpoint", CHECKPOINT, *_QUANTIZE, "--out", out / "x.w8.json"],
        0.2,
        (0, 1),
    ),
    "thresholds": Command(
        lambda m, out: ["thresholds", "--checkpoint", CHECKPOINT, *_THRESHOLDS, *_name_thresholds(out)],
        0.2,
    ),
    "evaluate": Command(lambda m, out: ["evaluate", CHECKPOINT, "--samples", "40", "--out", out / "evaluation"], 0.2),
    "bench": Command(
        lambda m, out: ["bench", m.tiny, "--quick", "--history", out / "history.jsonl"], describe=_describe_history
    ),
    "baseline": Command(
        lambda m, out: ["baseline", "--history", m.history, "--artifacts", m.tiny, "--out", out / "baseline.json"],
    ),
    "report": Command(
        lambda m, out: ["report", *_compare(m.history), "--artifacts", m.tiny, "--out", out / "report"],
        codes=(0, 2),
    ),
    "data labels": Command(
        lambda m, out: ["data", "labels", m.photos[0].with_name("ratings.csv"), "--out", out / "labels.parquet"],
    ),
}
TWELVE = Command(_export("onnx,coreml,tflite", "fp32,fp16,w8,w8a8"))

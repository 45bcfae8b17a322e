"""The commands that are killed: what each writes, small enough to be killed often, and when that is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imageqx_export import networks
from imageqx_export.artifact import Manifest
from imageqx_export.bench.history import append_run, load_history
from imageqx_export.budgets.limits import SHIPPED
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.data.labels import SPLITS
from imageqx_export.data.vocabulary import REASONS
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
        rated: A table of twelve photos, with its folder: one of each label on each side.
        clinic: A checkpoint of a network with a reason that raters are not asked, of which nothing is measured.
        tiny: A folder of artifacts that do next to nothing, with a manifest.
        history: Runs of them.
        exported: A folder with one artifact of the shipped checkpoint.
    """

    photos: tuple[Path, ...]
    rated: tuple[Path, Path]
    clinic: Path
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
        prepare: Puts into the folder what the command wants to find there.
        describe: What of the output must be as before after a kill: file → digest, or what stands for it.
    """

    words: Callable[[Materials, Path], list[str | Path]]
    share: float = 1.0
    codes: tuple[int, ...] = (0,)
    prepare: Callable[[Path], None] = lambda out: None
    describe: Describe | None = None


def make_materials(folder: Path, exported: Path) -> Materials:
    """Write photos, ratings, a checkpoint, and artifacts with three runs of them.

    Args:
        folder: Where.
        exported: A real export, of which one artifact is taken.
    """
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
    one = _take_artifact(exported, folder / exported.name)
    return Materials(tuple(photos), _write_rated(folder), _write_clinic(folder), tiny, history, one)


def _take_artifact(exported: Path, folder: Path) -> Path:
    """Write a folder with an export's float32 ONNX file alone."""
    folder.mkdir()
    manifest = read_manifest(exported)
    (kept,) = (one for one in manifest.artifacts if one.path.name.endswith("_fp32.onnx"))
    shutil.copy(exported / kept.path, folder / kept.path)
    alone = Manifest(model=manifest.model, checkpoint_sha256=manifest.checkpoint_sha256, artifacts=(kept,))
    (folder / "manifest.json").write_text(alone.model_dump_json())
    return folder


def _write_rated(folder: Path) -> tuple[Path, Path]:
    """Write photos and a table of what a rater said of them."""
    images, control = folder / "rated", np.random.default_rng(3)
    images.mkdir()
    rows = ["image,rater,evaluation,reasons,split"]
    for side in SPLITS:
        for label, reasons in {
            "L98.9": "",
            "no_skin": "",
            "healthy_skin": "",
            "poor_quality": ";".join(REASONS),
        }.items():
            name = f"{side}-{label}.png"
            Image.fromarray(control.integers(0, 255, (48, 64, 3), np.uint8)).save(images / name)
            rows.append(f"{name},one,{label},{reasons},{side}")
    table = folder / "rated.csv"
    table.write_text("\n".join([*rows, ""]))
    return table, images


def _write_clinic(folder: Path) -> Path:
    network = networks.build("imageqx", options={"reasons": "blurry,hair", "side": 64.0}).eval()
    save_checkpoint(network, network.spec, {}, {}, folder / "clinic.safetensors")
    return folder / "clinic.safetensors"


def _link_checkpoint(out: Path) -> None:
    """Put a checkpoint there, as what is fine-tuned lies beside its teacher."""
    (out / "theirs.safetensors").symlink_to(CHECKPOINT)


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


def _describe_table(out: Path) -> dict[str, str]:
    """Return the table; a run that is killed leaves parts of the next one beside it."""
    return {"verdicts": digest(out / "verdicts.parquet")}


def _export(formats: str, precisions: str) -> Callable[[Materials, Path], list[str | Path]]:
    def words(_: Materials, out: Path) -> list[str | Path]:
        chosen = ["--formats", formats, "--precisions", precisions]
        return ["export", *chosen, "--checkpoint", CHECKPOINT, "--out", out, "--budgets", SHIPPED]

    return words


def _compare(history: Path) -> list[str | Path]:
    return ["--baseline", history, "--current", history, "--history", history]


def _name_thresholds(out: Path) -> list[str | Path]:
    return ["--out", out / "x.safetensors", "--thresholds-out", out / "clinic.json"]


def _rate(m: Materials) -> list[str | Path]:
    """Return the options of what learns from, or is measured on, the rated photos alone."""
    return ["--annotations", m.rated[0], "--images", m.rated[1]]


# Seventeen scenes are the fewest: one of each kind.
_FEW: list[str | Path] = ["--samples", "4", "--batch-size", "2", "--synthetic-scenes", "17"]
_TRAIN = [*_FEW, "--epochs", "3", "--small-epochs", "3", "--small-size", "32"]


def train(m: Materials, out: Path) -> list[str | Path]:
    """Return the words of a training that goes on from an earlier one's state."""
    return ["train", "--init", CHECKPOINT, *_TRAIN, *_rate(m), "--out", out / "x.safetensors"]


def finetune(m: Materials, out: Path) -> list[str | Path]:
    """Return the words of a fine-tuning that goes on from an earlier one's state."""
    start: list[str | Path] = ["--checkpoint", out / "theirs.safetensors", "--recipe", RECIPE]
    return ["finetune", *start, "--epochs", "3", *_FEW, *_rate(m), "--out", out / "x.json"]


_QUANTIZE = ["--precision", "w8", "--samples", "8"]

COMMANDS: dict[str, Command] = {
    "predict": Command(
        lambda m, out: ["predict", *m.photos, "--artifact", CHECKPOINT, "--attention", out / "map.png"],
    ),
    "predict --out": Command(
        lambda m, out: ["predict", m.rated[1], "--artifact", CHECKPOINT, "--out", out / "verdicts.parquet"],
        describe=_describe_table,
    ),
    "export": Command(_export("onnx", "fp32,fp16"), 0.2),
    "parity": Command(lambda m, out: ["parity", m.exported, "--checkpoint", CHECKPOINT], 0.2),
    "lint": Command(lambda m, out: ["lint", m.exported]),
    "train": Command(lambda m, out: [*train(m, out), "--fresh"], 0.5, describe=_describe_training),
    "finetune": Command(
        lambda m, out: [*finetune(m, out), "--fresh"],
        0.3,
        (0, 1),  # over its budget, of course: it learns from four samples
        _link_checkpoint,
        _describe_finetuned,
    ),
    "quantize": Command(
        lambda m, out: ["quantize", "--checkpoint", m.clinic, "--precision", "w8", "--out", out / "x.w8.json"], 0.5
    ),
    "quantize, measured": Command(
        lambda m, out: ["quantize", "--checkpoint", CHECKPOINT, *_QUANTIZE, "--out", out / "x.w8.json"],
        0.1,  # draws four hundred scenes, in processes
        (0, 1),
    ),
    "thresholds": Command(
        lambda m, out: ["thresholds", "--checkpoint", CHECKPOINT, "--youden", *_rate(m), *_name_thresholds(out)], 0.5
    ),
    "evaluate": Command(lambda m, out: ["evaluate", CHECKPOINT, *_rate(m), "--out", out / "evaluation"], 0.5),
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
RESUMED = {"train": train, "finetune": finetune}
"""The commands that go on where they were killed, as they are without ``--fresh``."""
TWELVE = Command(_export("onnx,coreml,tflite", "fp32,fp16,w8,w8a8"))

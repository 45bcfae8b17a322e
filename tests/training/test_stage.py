"""The stage: photos in; a checkpoint per seed, the best of them, its card and its curves out."""

from __future__ import annotations

import shutil
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import f1_score, recall_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from imageqx_export import checkpoint as checkpoint_file
from imageqx_export.artifact import Checkpoint
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.data import held_out
from imageqx_export.data.annotated import read_labelled
from imageqx_export.data.bank import PHOTO, RATED, SYNTHETIC
from imageqx_export.data.folder import read_folder
from imageqx_export.data.sources import Sources
from imageqx_export.errors import DatasetError, StoppedError
from imageqx_export.networks.imageqx import network as imageqx
from imageqx_export.networks.imageqx.spec import LABELS, REASONS
from imageqx_export.runtimes import load_runtime
from imageqx_export.thresholds.criteria import Criterion
from imageqx_export.training import stage
from imageqx_export.training.seeds import Summary
from imageqx_export.training.stage import TrainingRun
from tests.training.fakes import CONFIG, small_backbone, validation
from tests.training.fakes import RATED as TABLE

BUDGET = Criterion(kind="retake_budget", value=0.5)


@dataclass(frozen=True)
class Made:
    """What a run of two seeds made."""

    out: Path
    checkpoint: Checkpoint
    reached: Summary
    reports: list[int]

    @property
    def seeds(self) -> list[Path]:
        return [self.out.with_name(f"imageqx.seed{seed}.safetensors") for seed in (3, 4)]


@pytest.fixture(scope="module")
def made(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    out, reports = tmp_path_factory.mktemp("made") / "imageqx.safetensors", list[int]()
    config = replace(CONFIG, samples=44, soft_labels=True)  # eleven steps: the logs keep every tenth
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imageqx, "_make_backbone", small_backbone)
        sources = Sources(annotations=table, images=table.parent)
        run = TrainingRun(config, out, sources, seeds=2, criterion=BUDGET, logs=out.parent / "logs")
        checkpoint, reached = stage.train(run, report=lambda epoch, *rest: reports.append(epoch))
    return Made(out, checkpoint, reached, reports)


@pytest.mark.usefixtures("small")
def test_every_seed_is_kept_and_the_best_on_validation_is_published(made: Made) -> None:
    assert made.reports == [0, 1, 2] * 2 and made.reached.seeds == (3, 4)
    loaded = [load_checkpoint(path)[0] for path in made.seeds]
    assert loaded[0].sha256 != loaded[1].sha256
    values: list[Any] = [one.metrics["quality_macro_f1"] for one in loaded]
    best = loaded[values.index(max(values))]
    published, _ = load_checkpoint(made.out)
    assert published == made.checkpoint and published.metrics == best.metrics
    assert published.provenance == {**best.provenance, "seeds": made.reached.model_dump(mode="json")}
    assert (published.spec, published.temperatures) == (best.spec, best.temperatures)
    assert sorted(path.name for path in made.out.parent.iterdir()) == [
        *("imageqx.md", "imageqx.safetensors"),
        *("imageqx.seed3.safetensors", "imageqx.seed3.safetensors.state"),
        *("imageqx.seed4.safetensors", "imageqx.seed4.safetensors.state", "logs"),
    ]


@pytest.mark.usefixtures("small")
def test_every_seeds_checkpoint_is_read_once_and_hashed_once_a_writing(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For thresholds, the test side and publishing together; a run that was done before reads its own once too."""
    calls: dict[str, Counter[str]] = {"read_safetensors": Counter(), "digest": Counter()}

    def count(name: str) -> None:
        whole: Callable[[Path], Any] = getattr(checkpoint_file, name)

        def call(path: Path) -> Any:
            calls[name][path.name] += 1
            return whole(path)

        monkeypatch.setattr(checkpoint_file, name, call)

    count("read_safetensors")
    count("digest")
    config, sources = replace(CONFIG, epochs=1), Sources(annotations=table, images=table.parent)
    run = TrainingRun(config, tmp_path / "x.safetensors", sources, seeds=2, criterion=BUDGET)
    stage.train(run)
    seeds = {"x.seed3.safetensors": 1, "x.seed4.safetensors": 1}
    writings = dict.fromkeys(seeds, 2)  # the epoch's, and that with thresholds
    assert calls == {"read_safetensors": seeds, "digest": {**writings, "x.safetensors": 1}}
    for one in calls.values():
        one.clear()
    stage.train(run)
    assert calls == {"read_safetensors": seeds, "digest": {**writings, "x.safetensors": 1}}  # what was read; thresholds


@pytest.mark.usefixtures("small")
def test_what_the_seeds_reach_by_scikit_learn(made: Made, table: Path) -> None:
    """Each seed with its own thresholds, on the test side."""
    photos = read_labelled(table, table.parent, "test")
    columns: dict[str, list[float]] = {}
    for path in made.seeds:
        runtime = load_runtime(path)
        outputs, cut = runtime.run(photos.pixels), runtime.spec.poor_quality_threshold
        assert cut is not None
        good = outputs["quality"][:, :3].argmax(1)
        guessed = np.where(outputs["quality"][:, 3] >= np.float32(cut), 3, good)
        for i, name in enumerate(LABELS):
            columns.setdefault(f"{name} f1", []).append(_f1(photos.quality == i, guessed == i))
            recall = recall_score(photos.quality == i, guessed == i, zero_division=0)
            columns.setdefault(f"{name} recall", []).append(float(recall))
        for i, name in enumerate(REASONS):
            given = outputs["explanations"][:, i] >= np.float32(runtime.spec.thresholds[name])
            columns.setdefault(f"{name} f1", []).append(_f1(photos.reasons[:, i] == 1, given))
    rows = made.reached.tests["test"].rows
    for column, values in columns.items():
        name, key = column.split()
        assert rows[name][key].mean == pytest.approx(statistics.mean(values), abs=1e-6), column
        assert rows[name][key].sd == pytest.approx(statistics.stdev(values), abs=1e-6), column


def _f1(truth: Any, guess: Any) -> float:
    return float(f1_score(truth, guess, zero_division=0))


@pytest.mark.usefixtures("small")
def test_every_seed_has_thresholds_of_its_own(made: Made, table: Path) -> None:
    photos = read_labelled(table, table.parent, "val")
    for path in made.seeds:
        record: Any = load_checkpoint(path)[0].provenance["thresholds"]
        assert record["criterion"] == {"kind": "retake_budget", "value": 0.5}
        assert (record["photos"], record["source"]) == (4, photos.source)
        runtime = load_runtime(path)
        sent = runtime.run(photos.pixels)["quality"][:, 3] >= np.float32(
            record["achieved"]["poor_quality"]["threshold"]
        )
        assert sent[photos.quality != 3].mean() <= 0.5
    first, second = ([*load_checkpoint(path)[0].spec.thresholds.values()] for path in made.seeds)
    assert first != second


def test_the_card_has_both_tables(made: Made) -> None:
    text = made.out.with_suffix(".md").read_text(encoding="utf-8")
    assert "2 runs with seeds 3, 4" in text and "Mean ± standard deviation" in text
    assert "Thresholds of this file" in text and "4 photos of `ratings.csv`" in text
    row = made.reached.tests["test"].macro["quality"]["f1"]
    assert f"| **mean** | {row.mean:.3f} ± {row.sd:.3f} |" in text


def test_tensorboard_reads_the_curves(made: Made) -> None:
    for path in made.seeds:
        events = EventAccumulator(str(made.out.parent / "logs" / path.stem)).Reload()
        names = {"train/loss", "train/rate", "train/gradient_norm", "train/epoch_loss"}
        names |= {"validation/quality_macro_f1", "validation/explanations_macro_f1"}
        assert set(events.Tags()["scalars"]) == names | {f"validation_f1/{name}" for name in (*LABELS, *REASONS)}
        assert [point.step for point in events.Scalars("train/loss")] == [0, 10, 20]
        assert events.Scalars("train/rate")[0].value == pytest.approx(1e-3)
        history: Any = _header(path)["history"]
        for name, key in (("train/epoch_loss", "loss"), ("validation/quality_macro_f1", "quality_macro_f1")):
            points = [(point.step, point.value) for point in events.Scalars(name)]
            assert points == [(11 * row["epoch"], pytest.approx(row[key], rel=1e-6)) for row in history]


def _header(path: Path) -> dict[str, Any]:
    import json

    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        header: dict[str, Any] = json.loads(file.metadata()["imageqx_export"])["provenance"]
    return header


@pytest.mark.parametrize("soft", [False, True])
def test_rated_photos_are_learnt_as_they_were_rated(table: Path, soft: bool) -> None:
    config, sources = replace(CONFIG, soft_labels=soft), Sources(annotations=table, images=table.parent)
    data = stage.gather_data(config, sources, None, validation())
    rated = data.bank.take(data.bank.rated)
    assert len(rated) == 4 and (data.bank.origin == SYNTHETIC).sum() == 17
    first = [0.5, 0, 0, 0.5] if soft else [1, 0, 0, 0]
    assert rated.shares.tolist() == [first, *np.eye(4)[1:].tolist()]
    assert rated.reasons.tolist() == [[0, 0, 1, 0, 0], [0] * 5, [0] * 5, [0, 1, 1, 0, 0]]
    assert rated.fitzpatrick.tolist() == [1, 2, 3, 4]
    assert data.facts["rated"] == {"photos": 4, "table": "ratings.csv"} and "photos" not in data.facts


@pytest.mark.usefixtures("small")
def test_a_folder_of_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Degraded on purpose; measured on photos and scenes, and on scenes alone."""
    monkeypatch.setattr(held_out, "_SCENES", 17)
    rng = np.random.default_rng(0)
    for name in ("lesion", "healthy_skin", "no_skin"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            noise = rng.integers(0, 256, (10, 10, 3), np.uint8).repeat(12, 0).repeat(12, 1)
            Image.fromarray(noise).save(tmp_path / "photos" / name / f"{number}.png")
    (tmp_path / "photos" / "lesion" / "broken.png").write_bytes(b"not a photo")
    out, sources = tmp_path / "x.safetensors", Sources(photos=tmp_path / "photos")
    checkpoint, reached = stage.train(TrainingRun(replace(CONFIG, epochs=1), out, sources, held_out_samples=6))
    data: Any = checkpoint.provenance["data"]
    assert data["photos"]["train"] == data["photos"]["test"] == {"lesion": 1, "healthy_skin": 1, "no_skin": 1}
    assert data["photos"]["skipped"]["unreadable"] == 1
    assert list(reached.tests) == ["test", "synthetic scenes alone"] and reached.seeds == (3,)
    assert all(row.sd is None for rows in reached.tests["test"].rows.values() for row in rows.values())
    text = out.with_suffix(".md").read_text(encoding="utf-8")
    assert (
        "**Synthetic scenes alone** – 3 test samples" in text and "train 1 healthy skin, 1 lesion, 1 no skin;" in text
    )
    folder = read_folder(tmp_path / "photos")
    kept = stage.gather_data(CONFIG, sources, folder, validation()).bank.origin
    assert sorted(set(kept.tolist())) == [PHOTO, SYNTHETIC] and RATED not in kept and (kept == PHOTO).sum() == 3


@pytest.mark.usefixtures("small")
def test_one_rater_only_is_enough(tmp_path: Path, table: Path) -> None:
    lines = table.read_text().splitlines()
    one = [line for line in lines if ",r1," not in line]
    assert len(one) == 13 < len(lines)
    (tmp_path / "one.csv").write_text("\n".join(one))
    sources = Sources(annotations=tmp_path / "one.csv", images=table.parent)
    config = replace(CONFIG, epochs=1, soft_labels=True)
    _, reached = stage.train(TrainingRun(config, tmp_path / "x.safetensors", sources))
    assert reached.tests["test"].source.startswith("4 photos of one.csv")


def refused(tmp_path: Path, table: Path, words: str) -> None:
    """Expect a sentence, and no file."""
    sources = Sources(annotations=table, images=table.parent)
    with pytest.raises(DatasetError, match=words):
        stage.train(TrainingRun(CONFIG, tmp_path / "out" / "x.safetensors", sources))
    assert not (tmp_path / "out").exists()


def test_a_label_without_a_photo_to_train_on(tmp_path: Path, table: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(table.parent, photos)
    own = photos / "ratings.csv"
    own.write_text("\n".join(line for line in table.read_text().splitlines() if not line.startswith("train2.png")))
    refused(tmp_path, own, r"(?s)no photo to train on is labelled healthy_skin.*1 lesion, 1 no_skin, 0 healthy_skin")


@pytest.mark.parametrize("split", ["train", "val"])
def test_photos_none_of_which_can_be_read(tmp_path: Path, table: Path, split: str) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(table.parent, photos)
    for number in range(len(TABLE[split])):
        (photos / f"{split}{number}.png").write_bytes(b"not a photo")
    refused(tmp_path, photos / "ratings.csv", rf"(?s)none of the 4 photos of {split} can be read.*imageqx data check")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("seeds", "where"), [(1, "x.safetensors.state"), (2, "x.seed*.safetensors.state")])
def test_ctrl_c_says_what_is_kept(tmp_path: Path, table: Path, seeds: int, where: str) -> None:
    def report(epoch: int, loss: float, metrics: dict[str, Any]) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    sources = Sources(annotations=table, images=table.parent)
    with pytest.raises(StoppedError, match="the epochs that were finished are kept") as caught:
        stage.train(TrainingRun(CONFIG, tmp_path / "x.safetensors", sources, seeds=seeds), report=report)
    assert caught.value.where == str(tmp_path / where) and len(list(tmp_path.glob(where))) == 1
    assert caught.value.remedy is not None and "same command" in caught.value.remedy


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seeds", [1, 2])
def test_ctrl_c_before_an_epoch_is_finished_promises_nothing(tmp_path: Path, table: Path, seeds: int) -> None:
    """As while scenes are drawn: there is no state to go on from, so that none is named."""

    def report(epoch: int, loss: float, metrics: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    sources = Sources(annotations=table, images=table.parent)
    with pytest.raises(StoppedError, match="before the first epoch was finished; nothing is kept") as caught:
        stage.train(TrainingRun(CONFIG, tmp_path / "x.safetensors", sources, seeds=seeds), report=report)
    assert caught.value.where is None and not list(tmp_path.iterdir())
    assert caught.value.remedy == "the same command, which starts over"

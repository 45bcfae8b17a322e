"""From files to files: the report stage and its two commands, with exit codes and every mistake."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from imageqx_export.artifact import Artifact, Format, Manifest, Precision
from imageqx_export.bench.model import QUICK, BenchRun, Measurement
from imageqx_export.cli.report import app
from imageqx_export.errors import ImageQXError, MeasurementError, ParityError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.report import baseline, stage
from imageqx_export.report.model import Report
from imageqx_export.report.render.markdown import render_markdown
from imageqx_export.report.robustness import list_cells
from imageqx_export.report.rules.verdicts import Quantity, Verdict
from imageqx_export.report.sides import Baseline, read_side, write_baseline
from imageqx_export.support.files import count_bytes, digest
from tests.report.fakes import bench_run, measurement
from tests.report.full import full_report
from tests.report.sizes.test_parts import write_onnx

NAME = "imageqx_fp32.onnx"


def artifacts(folder: Path, shape: tuple[int, int] = (30, 40)) -> Path:
    """Write a folder with one small artifact and its manifest."""
    folder.mkdir(parents=True)
    write_onnx(folder / NAME, shape)
    one = Artifact(
        path=Path(NAME),
        format=Format.ONNX,
        precision=Precision.FP32,
        spec=spec(),
        sha256=digest(folder / NAME),
        size_bytes=count_bytes(folder / NAME),
        checkpoint_sha256="0" * 64,
        tool_versions={},
    )
    manifest = Manifest(model="imageqx", checkpoint_sha256="0" * 64, artifacts=(one,))
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return folder


def measured(folder: Path, rng: np.random.Generator, slow: float = 1.0) -> Measurement:
    found = measurement(rng, NAME, 0.02 * slow, size=count_bytes(folder / NAME))
    return found.model_copy(update={"sha256": digest(folder / NAME)})


def written(path: Path, runs: list[BenchRun]) -> Path:
    path.write_text("".join(run.model_dump_json() + "\n" for run in runs))
    return path


class Place:
    """A folder with two versions of an artifact, their runs, and a baseline."""

    def __init__(self, folder: Path, shape: tuple[int, int] = (30, 40), slow: float = 1.0) -> None:
        rng = np.random.default_rng(1)
        self.old, self.new = artifacts(folder / "old"), artifacts(folder / "new", shape)
        before = [bench_run(k, [measured(self.old, rng)], commit="a" * 40) for k in range(5)]
        after = [bench_run(10 + k, [measured(self.new, rng, slow)], commit="b" * 40) for k in range(2)]
        self.history = written(folder / "history.jsonl", [*before, *after])
        self.first = written(folder / "first.jsonl", before)
        self.baseline = write_baseline(baseline.make_baseline(self.first, self.old), folder / "baseline.json")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"), shape=(30, 41), slow=1.1)


def test_a_regression_is_found_and_told_to_the_byte(place: Place, tmp_path: Path) -> None:
    found = stage.report(
        stage.ReportConfig(str(place.baseline), str(place.history), history=place.history, artifacts=place.new)
    )
    assert found.exit_code == 1
    size = found.decision(NAME, "files", Quantity.SIZE)
    latency = found.decision(NAME, "host", Quantity.LATENCY)
    assert size is not None and latency is not None
    assert (size.verdict, latency.verdict) == (Verdict.REGRESSION, Verdict.REGRESSION)
    changes = found.breakdowns[0].changes
    assert changes is not None
    assert [(c.section, c.name, c.change) for c in changes] == [("weights", "w", 120)]
    assert size.after is not None and size.before is not None and size.after - size.before == 120
    assert len(found.points) == 7
    assert any("accuracy on photos" in text for text in found.absent)
    out = stage.write(found, tmp_path / "report")
    assert sorted(path.name for path in out.iterdir()) == sorted(stage.FILES)
    assert Report.model_validate_json((out / "report.json").read_bytes()) == found


def test_robustness_is_shown_as_it_was_measured(place: Place, tmp_path: Path) -> None:
    cell = {"photos": 9, "poor": 0.5, "poor_ci": [0.25, 0.75], "first_hint_right": None, "first_hint_right_ci": None}
    kinds: list[dict[str, object]] = [{"name": "dark", "reason": "bad_light", "mild": cell, "strong": cell}]
    kinds += [{"name": "pen", "reason": None, "mild": cell, "strong": cell}]
    body = {"model": NAME, "source": "scenes", "photos": 9, "clean": {"all": cell}, "kinds": kinds}
    path = tmp_path / "robustness.json"
    path.write_text(json.dumps(body))
    config = stage.ReportConfig(str(place.baseline), str(place.history), robustness=[path])
    found = stage.report(config)
    assert list_cells(found.robustness[0]) == [
        ("as it is", "", "9", "0.50 (0.25–0.75)", "", ""),
        ("dark", "bad light", "9", "0.50 (0.25–0.75)", "0.50 (0.25–0.75)", "–"),
        ("pen", "harmless", "9", "0.50 (0.25–0.75)", "0.50 (0.25–0.75)", ""),
    ]
    assert "| dark | bad light | 9 | 0.50" in render_markdown(found)
    assert not any(text.startswith("robustness") for text in found.absent)
    for broken in ("{}", "[]", "nonsense", json.dumps({**body, "kinds": [{"name": "dark"}]})):
        path.write_text(broken)
        with pytest.raises(MeasurementError, match="not a check of robustness"):
            stage.report(config)


def test_every_report_reads_as_it_was_written() -> None:
    report = full_report()
    assert Report.model_validate_json(stage.to_json(report)) == report
    body = json.loads(stage.to_json(report))
    assert body["exit_code"] == 1
    body["exit_code"] = 0
    with pytest.raises(ValueError, match="the decisions make exit code 1, not 0"):
        Report.model_validate(body)


def test_commits_of_a_history_are_sides_too(place: Place) -> None:
    found = stage.report(
        stage.ReportConfig("aaaa", "bbbb", history=place.history, baseline_artifacts=place.old, artifacts=place.new)
    )
    assert found.exit_code == 1
    assert found.breakdowns[0].changes is not None
    same = stage.report(stage.ReportConfig("aaaa", str(place.first), history=place.history))
    latency = same.decision(NAME, "host", Quantity.LATENCY)
    assert latency is not None and latency.verdict is Verdict.NO_CHANGE
    assert same.exit_code == 0


def test_parity_and_evaluations_are_shown(place: Place, tmp_path: Path) -> None:
    folder = artifacts(tmp_path / "new", (30, 41))
    output = {
        "output": "quality",
        "max_abs": None,
        "mean_abs": None,
        "cosine": 0.0,
        "sqnr_db": None,
        "decisions": 0,
        "differing": 0,
        "excused": 0,
        "problems": ["the output is missing"],
    }
    row = {"path": NAME, "precision": "fp32", "outputs": [output], "problems": []}
    body = {"checkpoint_sha256": "0" * 64, "images": 64, "source": "generated", "artifacts": [row]}
    (folder / "parity.json").write_text(json.dumps(body))
    evaluation = tmp_path / "evaluation.json"
    scores = {"model": NAME, "quality_macro_f1": 0.8, "quality_macro_f1_ci": None, "photos": 9, "source": "synthetic"}
    scores |= {
        "quality": {"lesion": {"f1": 0.9, "f1_ci": [0.8, 1]}},
        "explanations": {"b": {"f1": None, "f1_ci": None}},
    }
    evaluation.write_text(json.dumps(scores))
    found = stage.report(
        stage.ReportConfig(str(place.baseline), str(place.history), artifacts=folder, evaluations=[evaluation])
    )
    parity = found.decision(NAME, "files", Quantity.PARITY)
    assert parity is not None
    assert (parity.verdict, parity.reason) == (Verdict.REGRESSION, "the output is missing")
    assert (found.accuracies[0].macro_f1, found.accuracies[0].interval) == (0.8, None)
    told = [(score.name, score.f1, score.interval) for score in found.accuracies[0].scores]
    assert told == [("lesion", 0.9, (0.8, 1.0)), ("b", None, None)]
    assert found.parity is not None and found.parity.cells[0].max_abs is None
    assert Report.model_validate_json(stage.to_json(found)) == found
    for broken in ("{}", "[]", "nonsense"):
        (folder / "parity.json").write_text(broken)
        with pytest.raises(MeasurementError, match="cannot be read"):
            stage.report(stage.ReportConfig(str(place.baseline), str(place.history), artifacts=folder))
        evaluation.write_text(broken)
        with pytest.raises(MeasurementError, match="not an evaluation"):
            stage.report(stage.ReportConfig(str(place.baseline), str(place.history), evaluations=[evaluation]))


def test_artifacts_that_were_not_measured_are_refused(place: Place) -> None:
    with pytest.raises(MeasurementError, match="not the one that was measured"):
        stage.report(stage.ReportConfig(str(place.baseline), str(place.history), artifacts=place.old))


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(ImageQXError, match="holds something else than a report"):
        stage.write(full_report(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
    with pytest.raises(ImageQXError, match="holds something else"):
        stage.check_folder(tmp_path / "precious.txt")


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = stage.write(full_report(), tmp_path / "report")
    old = (out / "report.md").read_bytes()

    def fail(report: Report) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("imageqx_export.report.render.html.render_html", fail)
    with pytest.raises(OSError, match="No space left"):
        stage.write(full_report(seed=1), out)
    assert (out / "report.md").read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_command_says_why_and_exits_with_1(place: Place, tmp_path: Path) -> None:
    options = ("--baseline", place.baseline, "--current", place.history, "--artifacts", place.new)
    code, out, err = run("report", *options, "--out", tmp_path / "report")
    assert code == 1
    assert "slower in 2 of 2 runs" in out and "+120 bytes; no more are allowed" in out and "Something regressed" in out
    assert "report.html" in err
    code, out, _ = run("report", *options, "--out", tmp_path / "report", "--json", "--size-budget", "120")
    found = Report.model_validate_json(out)
    size = found.decision(NAME, "files", Quantity.SIZE)
    assert (code, size and size.verdict) == (1, Verdict.OK)
    assert json.loads((tmp_path / "report" / "report.json").read_text()) == json.loads(out)


def test_exit_codes(place: Place, tmp_path: Path) -> None:
    calm = Place(tmp_path / "calm")
    report = ("report", "--out", tmp_path / "report", "--baseline")
    assert run(*report, calm.baseline, "--current", calm.history)[0] == 0
    assert run(*report, place.baseline, "--current", place.history)[0] == 1
    quick = [r.model_copy(update={"schedule": QUICK}) for r in read_side(str(calm.history)).runs]
    assert run(*report, calm.baseline, "--current", written(tmp_path / "quick.jsonl", quick))[0] == 2
    budgets = tmp_path / "budgets.toml"
    budgets.write_text('schema_version = 1\n[size_bytes]\n"*.onnx" = 100\n')
    assert run(*report, calm.baseline, "--current", calm.history, "--budgets", budgets)[0] == 1
    assert run(*report, calm.baseline, "--current", calm.history, "--target", "host")[0] == 0
    with pytest.raises(MeasurementError, match="no run of these targets"):
        run(*report, calm.baseline, "--current", calm.history, "--target", "adb:1")


def test_a_mistake_is_said_before_anything_is_written(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "report"
    with pytest.raises(MeasurementError, match="no such baseline"):
        run("report", "--baseline", tmp_path / "none.json", "--current", place.history, "--out", out)
    assert not out.exists()


def test_the_baseline_is_renewed(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "baseline.json"
    code, text, err = run("baseline", "--history", place.first, "--artifacts", place.old, "--out", out)
    assert (code, "commit it on purpose" in err) == (0, True)
    assert len(text.splitlines()) == 5
    baseline = Baseline.model_validate_json(out.read_bytes())
    assert [len(r.measurements[0].layers) for r in baseline.runs] == [0, 0, 0, 0, 21]
    assert [r.measurements[0].samples for r in baseline.runs] == [
        r.measurements[0].samples for r in read_side(str(place.first)).runs
    ]
    assert baseline.sizes[0].total == count_bytes(place.old / NAME)
    _, text, _ = run("baseline", "--history", place.first, "--artifacts", place.old, "--out", out, "--json")
    assert json.loads(text)["artifacts"] == [NAME]


def test_a_baseline_that_could_decide_nothing_is_refused(place: Place, tmp_path: Path) -> None:
    runs = list(read_side(str(place.first)).runs)
    cases = {
        "too few runs to measure the A/A noise": runs[:2],
        "a quick run decides nothing": [runs[0].model_copy(update={"schedule": QUICK}), *runs[1:]],
        "runs of different files": [
            *runs[:3],
            bench_run(9, [measured(place.new, np.random.default_rng(0))], commit="a" * 40),
        ],
    }
    out = tmp_path / "baseline.json"
    for words, some in cases.items():
        path = written(tmp_path / "some.jsonl", some)
        with pytest.raises(MeasurementError, match=words):
            run("baseline", "--history", path, "--artifacts", place.old, "--out", out)
        assert not out.exists()
    with pytest.raises(MeasurementError, match="not the one that was measured"):
        run("baseline", "--history", place.first, "--artifacts", place.new, "--out", out)
    with pytest.raises(ParityError, match="no manifest"):
        run("baseline", "--history", place.first, "--artifacts", tmp_path, "--out", out)

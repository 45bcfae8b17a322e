"""A third network, of thirty lines, through every command: nothing outside its own file knows it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from imageqx_export.artifact import Format, Precision
from imageqx_export.report.model import Report
from imageqx_export.report.rules.verdicts import Quantity, Verdict
from tests.conftest import ROOT
from tests.networks.offered import Run, offer
from tests.networks.toy import toy

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("toy")


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return offer(toy(), "tests.networks.toy", folder)


@pytest.fixture(scope="module")
def artifacts(folder: Path, run: Run, sizes_alone: Path) -> Path:
    """Export the toy in all formats and precisions; what quantization costs is asked of it elsewhere."""
    run("export", "--checkpoint", "toy.safetensors", "--budgets", sizes_alone)
    return folder / "artifacts" / "toy"


def test_it_is_exported_in_every_format_and_precision(artifacts: Path) -> None:
    manifest = json.loads((artifacts / "manifest.json").read_text())
    written = {(row["format"], row["precision"]) for row in manifest["artifacts"]}
    assert written == {(str(format), str(precision)) for format in Format for precision in Precision}
    parity = json.loads((artifacts / "parity.json").read_text())
    decided = [output["decisions"] for row in parity["artifacts"] for output in row["outputs"]]
    assert parity["images"] == 64 and decided == [64, 0] * 12
    golden = json.loads((artifacts / "golden" / "self_test.json").read_text())
    assert len(golden["pictures"]) == 12 and len(golden["expectations"]) == 4


def test_parity_bench_and_report(artifacts: Path, folder: Path, run: Run) -> None:
    found = json.loads(run("parity", artifacts, "--checkpoint", "toy.safetensors", "--json"))
    assert found["passed"] and len(found["artifacts"]) == 12
    run("bench", artifacts, "--quick", "--history", "history.jsonl")
    words = ("--baseline", "history.jsonl", "--current", "history.jsonl", "--artifacts", artifacts)
    run("report", *words, "--out", "report", code=2)  # a quick run decides nothing about time, and 2 says so
    report = Report.model_validate_json((folder / "report" / "report.json").read_text())
    decided = {
        quantity: Counter(d.verdict for d in report.decisions if d.quantity is quantity) for quantity in Quantity
    }
    assert decided[Quantity.SIZE] == {Verdict.NO_CHANGE: 12}
    assert decided[Quantity.LATENCY][Verdict.INSUFFICIENT] >= 8, "all but Core ML's, which only a Mac can time"
    compared = [d.verdict for d in report.decisions if d.quantity is Quantity.PARITY and d.target == "files"]
    assert compared == [Verdict.OK] * 12


def test_photos_are_judged_and_thresholds_chosen(artifacts: Path, folder: Path, run: Run) -> None:
    photo = ROOT / "docs" / "mole.jpg"
    files = ("toy.safetensors", *(artifacts / f"toy_fp32{format.suffix}" for format in Format))
    verdicts = [json.loads(run("predict", photo, "--artifact", file, "--json")) for file in files]
    for verdict in verdicts:
        assert verdict["probabilities"]["good"] == pytest.approx(verdicts[0]["probabilities"]["good"], abs=1e-4)
        assert verdict["hints"] == (["Take it again"] if verdict["label"] == "poor_quality" else [])
    words = ("--checkpoint", "toy.safetensors", "--youden", "--samples", "40", "--out", "chosen.safetensors", "--json")
    chosen = json.loads(run("thresholds", *words, "--thresholds-out", "own.json"))
    own = json.loads((folder / "own.json").read_text())
    assert own["good"] == pytest.approx(1 - chosen["achieved"]["poor_quality"]["threshold"], abs=1e-6)
    run("evaluate", "chosen.safetensors", "--samples", "30")
    assert "AUC" in (folder / "evaluation" / "evaluation.md").read_text()


def test_what_quantization_costs_it(folder: Path, run: Run, tmp_path: Path) -> None:
    budgets = tmp_path / "budgets.toml"
    budgets.write_text(
        "schema_version = 1\n[size_bytes]\n[accuracy]\nsamples = 40\n[accuracy.w8]\nmacro_f1 = 100\n"
        "reason_f1 = 100\nagreement = 0\nece = 100\n"
    )
    words = ("--checkpoint", "toy.safetensors", "--precision", "w8", "--samples", "40", "--out", tmp_path / "w8.json")
    found = json.loads(run("quantize", *words, "--budgets", budgets, "--json"))
    assert list(found["accuracy"]["reasons"]) == ["good"] and found["accuracy"]["kind"] == "ranks"

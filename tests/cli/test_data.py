"""``imageqx data``, as a person meets it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from imageqx_export import cli as command_line
from tests.conftest import Cli

HEADER = "image,rater,evaluation,reasons,patient,split,fitzpatrick\n"


class Result(NamedTuple):
    """The result of a command: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line's own main in this process: a new one costs a second."""

    def call(*arguments: str | Path) -> Result:
        monkeypatch.setattr("sys.argv", ["imageqx", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        return Result(int(ended.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for i in range(4):
        Image.new("RGB", (8, 8), (200, 40 * i, 90)).save(tmp_path / f"{i}.png")
    return tmp_path


def table(folder: Path, *rows: str) -> Path:
    (folder / "ratings.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return folder / "ratings.csv"


@pytest.fixture
def ratings(photos: Path) -> Path:
    return table(
        photos,
        "0.png,ada,L57.0,,p0,train,1",
        "0.png,bob,poor_quality,blurry;bad_light,p0,train,1",
        "1.png,ada,no_skin,,p1,val,",
        "1.png,bob,no_skin,,p1,val,",
        "2.png,ada,healthy_skin,,p2,test,6",
        "2.png,bob,L57.0,,p2,test,6",
        "3.png,ada,poor_quality,blurry,p2,test,6",
        "3.png,bob,poor_quality,blurry;lesion_covered,p2,test,6",
    )


@pytest.mark.parametrize("command", ["check", "labels", "import", "agreement"])
def test_every_command_has_help_with_an_example(run: Run, command: str) -> None:
    result = run("data", command, "--help")
    assert result.returncode == 0 and f"Example: imageqx data {command}" in result.stdout


def test_check_passes_a_clean_table_and_counts(cli: Cli, ratings: Path) -> None:
    result = cli("data", "check", ratings, "--images", ratings.parent)
    assert result.returncode == 0, result.stderr
    assert "no bad row" in result.stdout and "8 ratings of 4 photos by 2 raters, 3 patients" in result.stdout


def test_check_lists_bad_rows_with_their_lines_and_fails(run: Run, photos: Path) -> None:
    path = table(photos, "0.png,ada,L57.0,,,,", "1.png,ada,sunburn,,,,", "0.png,ada,L57.0,,,,", "9.png,ada,L57.0,,,,")
    result = run("data", "check", path, "--images", photos)
    assert result.returncode == 1
    assert [line.split(" ")[0] for line in result.stdout.splitlines()[:3]] == [f"{path}:{i}" for i in (3, 4, 5)]
    assert "3 bad rows" in result.stdout and "no rater gave no_skin or healthy_skin or poor_quality" in result.stdout
    body = json.loads(run("data", "check", path, "--images", photos, "--json").stdout)
    assert [problem["line"] for problem in body["problems"]] == [3, 4, 5] and body["passed"] is False
    assert body["summary"]["unreadable"] == 1 and body["summary"]["labels"]["lesion"] == 3


def test_photos_that_none_can_be_read_get_one_sentence(run: Run, photos: Path) -> None:
    (photos / "0.png").write_bytes(b"")
    result = run("data", "check", table(photos, "0.png,ada,L57.0,,,,"), "--images", photos)
    assert result.returncode == 1 and "the photo cannot be read" in result.stdout


def test_labels_writes_the_fused_table(run: Run, ratings: Path) -> None:
    out = ratings.parent / "labels.csv"
    result = run("data", "labels", ratings, "--out", out, "--soft", "--images", ratings.parent, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["labels"]["lesion"] == {"train": 1, "val": 0, "test": 1}
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [(row["image"], row["label"], row["split"]) for row in rows] == [
        ("0.png", "lesion", "train"),
        ("1.png", "no_skin", "val"),
        ("2.png", "lesion", "test"),
        ("3.png", "poor_quality", "test"),
    ]
    assert rows[0]["reasons"] == "bad_light;blurry" and rows[0]["share_poor_quality"] == "0.5"
    assert "photos" in run("data", "labels", ratings, "--out", out).stdout
    assert "share_lesion" not in out.read_text()


def test_import_writes_annotations_that_check_accepts(run: Run, photos: Path) -> None:
    for label, name in (("lesion", "0.png"), ("no_skin", "1.png")):
        (photos / label).mkdir()
        (photos / name).rename(photos / label / name)
    out = photos / "ratings.parquet"
    result = run("data", "import", "plain_folder", photos, "--out", out)
    assert result.returncode == 0 and "2 ratings of 2 photos by 1 rater" in result.stdout
    assert run("data", "check", out, "--images", photos).returncode == 0


def test_agreement_says_what_is_at_expert_level(run: Run, ratings: Path) -> None:
    scores = ratings.parent / "evaluation.json"
    quality = {"lesion": {"f1": 0.2}, "no_skin": {"f1": 1.0}}
    scores.write_text(json.dumps({"metrics": {"quality": quality, "explanations": {"blurry": {"f1": 0.1}}}}))
    body = json.loads(run("data", "agreement", ratings, "--scores", scores, "--json").stdout)
    assert body["labels"]["lesion"] == {"mean": 0, "sd": None, "pairs": 1}  # each calls another photo a lesion
    assert body["labels"]["poor_quality"]["mean"] == pytest.approx(2 / 3)
    assert {name: row["expert_level"] for name, row in body["model"].items()} == {
        "lesion": True,
        "no_skin": True,
        "blurry": None,
    }
    shown = run("data", "agreement", ratings, "--scores", scores).stdout
    assert "2 raters, 1 pair, 4 photos" in shown
    assert "expert level" in shown and "expert level" not in run("data", "agreement", ratings).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "none.csv"), "no such table"),
        (("labels", "none.csv", "--out", "x.csv"), "no such table"),
        (("import", "ham10000", ".", "--out", "x.csv"), "pad_ufes_20, scin, fitzpatrick17k, vizwiz, plain_folder"),
        (("import", "scin", "nowhere", "--out", "x.csv"), "github.com/google-research-datasets/scin"),
        (("agreement", "none.parquet"), "no such table"),
    ],
)
def test_mistakes_get_one_clear_message(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("data", *arguments)
    assert result.returncode == 1 and words in result.stderr
    assert result.stderr.startswith("error: ") and "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_one_rater_and_bad_rows_end_agreement_with_a_sentence(run: Run, photos: Path) -> None:
    result = run("data", "agreement", table(photos, "0.png,ada,L57.0,,,,"))
    assert result.returncode == 1 and "agreement needs at least two raters" in result.stderr
    result = run("data", "agreement", table(photos, "0.png,ada,sunburn,,,,"))
    assert result.returncode == 1 and "imageqx data check" in result.stderr


def test_check_counts_what_it_passes_over(run: Run, ratings: Path) -> None:
    Image.new("RGB", (8, 8)).save(ratings.parent / "unrated.png")
    (ratings.parent / "._0.png").write_bytes(b"\0")
    result = run("data", "check", ratings, "--images", ratings.parent)
    printed = "passed over: 1 × not in the table, 1 × no photo's name: .csv, 1 × resource fork of macOS"
    assert printed in " ".join(result.stdout.split())
    found = json.loads(run("data", "check", ratings, "--images", ratings.parent, "--json").stdout)
    assert found["left_out"] == {"not in the table": 1, "no photo's name: .csv": 1, "resource fork of macOS": 1}
    assert "left_out" not in json.loads(run("data", "check", ratings, "--json").stdout), "no folder was looked at"

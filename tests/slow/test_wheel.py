"""The wheel, in clean environments and a folder that is not the clone: make test-wheel.

With ``[all]`` it exports, predicts, measures and reports; without extras, what needs one says so in one sentence.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

UV = Path(sys.executable).with_name("uv")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of what git has, so that nothing else of the clone gets in."""
    source = tmp_path_factory.mktemp("source")
    files = run(
        "git", "ls-files", "-z", "--", "imageqx_export", "models", "*.toml", "*.py", "*.in", "*.md", "LICENSE", cwd=ROOT
    )
    for name in files.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("wheel")
    built = run(
        UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", out, source, cwd=source
    )
    assert built.returncode == 0, built.stderr
    (path,) = out.glob("*.whl")
    return path


def install(wheel: Path, extras: str, folder: Path) -> Run:
    """Install into a new environment, as pip would resolve it but for the locked versions."""
    made = run(UV, "venv", "--python", sys.executable, folder / "venv", cwd=folder)
    assert made.returncode == 0, made.stderr
    locked = folder / "locked.txt"
    lines = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8").splitlines()
    locked.write_text("\n".join(line.rstrip(" \\") for line in lines if not line.startswith(" ")))
    done = run(
        UV,
        "pip",
        "install",
        "--python",
        folder / "venv" / "bin" / "python",
        "--constraint",
        locked,
        f"{wheel}{extras}",
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr

    def imageqx(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        (folder / "elsewhere").mkdir(exist_ok=True)
        return run(folder / "venv" / "bin" / "imageqx", *arguments, cwd=folder / "elsewhere")

    return imageqx


@pytest.fixture(scope="session")
def whole(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return install(wheel, "[all]", tmp_path_factory.mktemp("all"))


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return install(wheel, "", tmp_path_factory.mktemp("bare"))


def test_the_wheel_has_every_file_of_the_package_and_the_models(wheel: Path) -> None:
    has = set(zipfile.ZipFile(wheel).namelist())
    listed = run("git", "ls-files", "-z", "imageqx_export", cwd=ROOT).stdout.split("\0")
    lacking = {name for name in listed if name and (ROOT / name).is_file()} - has
    assert {name for name in lacking if not name.endswith("requirements.in")} == set()
    models = {path.name for path in (ROOT / "models").iterdir() if path.suffix in (".safetensors", ".json")}
    assert {Path(name).name for name in has if name.startswith("imageqx_export/models/")} >= models
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in has)


def test_with_all_extras_the_main_job_runs_from_any_folder(whole: Run) -> None:
    """With the weights and under the budgets that come with it; INT8's accuracy, which takes minutes, is left out."""
    exported = whole("export", "--formats", "onnx", "--precisions", "fp32", "--json")
    assert exported.returncode == 0, exported.stdout[-2000:] + exported.stderr[-2000:]
    body = json.loads(exported.stdout)
    assert body["parity"]["passed"] and body["budgets"] is not None
    photo = ROOT / "docs" / "shaky.jpg"
    for model in ((), ("--artifact", "artifacts/imageqx/imageqx_fp32.onnx")):
        assessed = whole("predict", photo, *model)
        assert assessed.returncode == 0 and "take it again" in assessed.stdout, assessed.stderr
    measured = whole("bench", "artifacts/imageqx", "--quick", "--history", "runs.jsonl")
    assert measured.returncode == 0, measured.stderr
    reported = whole(
        "report",
        "--baseline",
        "runs.jsonl",
        "--current",
        "runs.jsonl",
        "--history",
        "runs.jsonl",
        "--artifacts",
        "artifacts/imageqx",
    )
    assert reported.returncode in (0, 2), reported.stderr
    assert "Traceback" not in reported.stderr


def test_nothing_is_written_into_the_package(whole: Run) -> None:
    for command in (("quantize", "--precision", "w8"), ("finetune",), ("thresholds", "--youden")):
        done = whole(*command)
        assert done.returncode == 1 and "beside the checkpoint that comes with the package" in done.stderr, command


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        ("export --allow-missing", "onnx,coreml,tflite"),
        ("predict PHOTO --artifact EXPORTED/imageqx_fp32.onnx", "onnx"),
        ("predict PHOTO --artifact EXPORTED/imageqx_fp32.tflite", "tflite"),
        ("predict PHOTO --artifact EXPORTED/imageqx_fp32.mlpackage", "coreml"),
        ("lint EXPORTED/imageqx_fp32.onnx", "onnx"),
        ("bench EXPORTED --quick", "bench"),
        ("data check TABLE", "train"),
        ("data labels TABLE --out labels.parquet", "train"),
        ("data agreement TABLE", "train"),
    ],
)
def test_without_extras_a_sentence_names_the_one_that_is_needed(
    bare: Run, arguments: str, extra: str, tmp_path: Path
) -> None:
    table = tmp_path / "ratings.csv"
    table.write_text("image,rater,evaluation,reasons\na.jpg,r,L57.0,\na.jpg,s,no_skin,\nb.jpg,r,L57.0,\n")
    places = {"EXPORTED": ROOT / "artifacts" / "imageqx", "PHOTO": ROOT / "docs" / "shaky.jpg", "TABLE": table}
    for word, path in places.items():
        arguments = arguments.replace(word, str(path))
    done = bare(*arguments.split())
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    assert done.returncode != 0, done.stdout
    assert f"imageqx-export[{extra}]" in done.stderr + done.stdout, done.stdout + done.stderr


def test_without_extras_photos_are_judged(bare: Run) -> None:
    done = bare("predict", ROOT / "docs" / "shaky.jpg")
    assert done.returncode == 0 and "take it again" in done.stdout, done.stderr

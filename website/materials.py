"""The folder that a page's examples are run in: photos, ratings and a history under the names that pages use."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Final

from website import REPOSITORY

_LABELS: Final = ("lesion", "healthy_skin", "no_skin")
_COPIES: Final = 12  # 36 photos, which are enough to calibrate on where website.small says how many
_LINKED: Final = ("docs", "artifacts", ".venv")
_WRITTEN: Final = ("models", "benchmarks")  # copies, as examples write into them


def prepare(folder: Path, repository: Path = REPOSITORY) -> None:
    """Make the folder that the examples run in: photos under the names that the pages use, the repository's by links.

    Args:
        folder: Must not be there.
        repository: The checkout, with an export in ``artifacts/imageqx``.
    """
    (folder / "build").mkdir(parents=True)
    for name in _LINKED:
        (folder / name).symlink_to(repository / name)
    for name in _WRITTEN:
        shutil.copytree(repository / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(folder / "models", folder / "models" / "second", ignore=shutil.ignore_patterns("duke*", "*.md"))
    (folder / "models" / "first").mkdir()
    shutil.copy(
        repository / "models" / "imageqx.safetensors", folder / "models" / "first" / "imageqx.seed0.safetensors"
    )
    good, poor = (repository / "docs" / name for name in ("mole.jpg", "shaky.jpg"))
    (folder / "last").touch()
    os.utime(folder / "last", (0, 0))
    for name in ("my_photos", "photos", "DIR"):
        for label in _LABELS:
            (folder / name / label).mkdir(parents=True)
            for number in range(_COPIES):
                shutil.copy(good, folder / name / label / f"{label}-{number}.jpg")
    shutil.copy(repository / "docs" / "shaky.jpg", folder / "photo.jpg")
    heic = next((repository / "tests").rglob("*.heic"), None)
    (folder / "more" / "2026").mkdir(parents=True)
    shutil.copy(heic or good, folder / "more" / "2026" / "IMG_0001.HEIC")
    _write_ratings(folder, good, poor)
    shutil.copy(repository / "artifacts" / "imageqx" / "imageqx_fp16.tflite", folder / "mine.tflite")
    shipped = (repository / "imageqx_export" / "budgets" / "budgets.toml").read_text(encoding="utf-8")
    (folder / "build" / "sizes.toml").write_text(shipped.partition("[accuracy]")[0], encoding="utf-8")
    _write_history(folder)


def _write_history(folder: Path) -> None:
    """Write the shipped baseline's runs as if they were of this export's files, whose digests reports hold them to."""
    runs = json.loads((folder / "benchmarks" / "baseline.json").read_bytes())["runs"]
    rows = json.loads((folder / "artifacts" / "imageqx" / "manifest.json").read_bytes())["artifacts"]
    digests = {row["path"]: row["sha256"] for row in rows}
    for run in runs:
        run["checkpoint_sha256"] = rows[0]["checkpoint_sha256"]
        for one in run["measurements"]:
            one["sha256"] = digests[one["artifact"]]
    lines = "".join(f"{json.dumps(run)}\n" for run in runs)
    (folder / "build" / "history.jsonl").write_text(lines, encoding="utf-8")


def _write_ratings(folder: Path, good: Path, poor: Path) -> None:
    """Write what two raters, who do not always agree, said of twelve photos, which lie in ``photos``."""
    rows = ["image,rater,evaluation,reasons,patient,split"]
    for side in ("train", "val", "test"):
        for evaluation in ("C43", "no_skin", "healthy_skin", "poor_quality"):
            photo = f"{side}-{evaluation}.jpg"
            shutil.copy(poor if evaluation == "poor_quality" else good, folder / "photos" / photo)
            reasons = "blurry;bad_light" if evaluation == "poor_quality" else ""
            other = "poor_quality,blurry" if evaluation == "C43" else f"{evaluation},{reasons}"
            rows += [f"{photo},a,{evaluation},{reasons},{photo},{side}", f"{photo},b,{other},{photo},{side}"]
    (folder / "ratings.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")

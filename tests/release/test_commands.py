"""The commands as a person types them, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imageqx_export.cli import app
from imageqx_export.errors import ReleaseError
from imageqx_export.release import keys as release_keys
from imageqx_export.support.files import digest


def test_from_keys_to_an_apps_folder(export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGEQX_ROOT_PASSPHRASE", "r")
    monkeypatch.setenv("IMAGEQX_KEYS_PASSPHRASE", "o")
    monkeypatch.setenv("IMAGEQX_RELEASES_CACHE", str(tmp_path / "cache"))
    assert release_keys.KDF_ROUNDS == 16

    def call(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, words)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.stdout

    tree = ["--keys", "keys", "--to", "tree"]
    checkpoint = ["--checkpoint", str(export.parent / "model.safetensors")]
    made = call("publish", str(export), "--version", "1.0.0", *checkpoint, "--init-keys", *tree, "--json")
    assert json.loads(made)["new"] is True
    listed = call("releases", "--from", "tree", "--root", "keys/root.json")
    assert listed.split() == ["imageqx@1.0.0", "stable"]
    call("keys", "rotate", "timestamp", *tree)
    call("keys", "renew", *tree)
    take = ["--format", "tflite", "--precision", "w8a8", "--from", "tree", "--out", "out"]
    pulled = json.loads(call("pull", "imageqx@1.0.0", *take, "--json"))
    assert (
        pulled["sha256"] == digest(export / "imageqx_w8a8.tflite") == digest(tmp_path / "out" / "imageqx_w8a8.tflite")
    )
    assert json.loads(call("diff", "1.0.0", "stable", "--from", "tree", "--json"))["rows"] == []
    with pytest.raises(ReleaseError, match=r"no release imageqx@1\.0\n"):
        call("pull", "imageqx@1.0", *take)
    monkeypatch.delenv("IMAGEQX_KEYS_PASSPHRASE")
    with pytest.raises(ReleaseError, match="no passphrase"):
        call("keys", "renew", *tree)
    with pytest.raises(ReleaseError, match="nothing to publish"):
        call("publish", *tree)

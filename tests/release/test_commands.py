"""The commands as a person types them, in this process."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imageqx_export.cli import app, keys
from imageqx_export.errors import ReleaseError
from imageqx_export.release import keys as release_keys
from imageqx_export.release.ceremony import init_keys
from imageqx_export.release.store import FolderStore
from imageqx_export.support.files import digest


def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Go to a folder with both passphrases; return what calls a command there and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGEQX_ROOT_PASSPHRASE", "r")
    monkeypatch.setenv("IMAGEQX_KEYS_PASSPHRASE", "o")
    monkeypatch.setenv("IMAGEQX_RELEASES_CACHE", str(tmp_path / "cache"))

    def call(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, words)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.stdout

    return call


def test_from_keys_to_an_apps_folder(export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = prepare(tmp_path, monkeypatch)
    assert release_keys.KDF_ROUNDS == 16
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


def test_what_is_signed_is_said_and_asked_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = prepare(tmp_path, monkeypatch)
    init_keys(FolderStore(tmp_path / "tree"), tmp_path / "keys", lambda root: "r" if root else "o", rounds=1)
    proposed = call("keys", "propose", "targets", "--keys", "keys", "--to", "tree", "--out", "proposal")
    (new,) = re.findall(r"targets gets the key SHA256:[A-Za-z0-9+/]{43}$", proposed, re.M)
    before = {path.name: path.read_bytes() for path in (tmp_path / "proposal").iterdir()}
    done = CliRunner().invoke(app, ["keys", "sign", "proposal", "--keys", "keys"])
    assert isinstance(done.exception, ReleaseError) and "nobody is there to be asked" in str(done.exception)
    assert done.stdout == proposed and new in done.stdout
    assert {path.name: path.read_bytes() for path in (tmp_path / "proposal").iterdir()} == before
    assert call("keys", "sign", "proposal", "--keys", "keys", "--yes") == proposed
    call("keys", "apply", "proposal", "--keys", "keys", "--to", "tree")


def test_only_a_yes_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    keys.confirm("Sign this?")
    for answer in ("n\n", "\n"):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        with pytest.raises(ReleaseError, match="nothing is signed"):
            keys.confirm("Sign this?")

"""What a published tree holds, read by other tools than what wrote it."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from imageqx_export.errors import ImageQXError, ReleaseError
from imageqx_export.release.bucket import FsspecStore
from imageqx_export.release.keys import open_keys
from imageqx_export.release.provenance import open_statement
from imageqx_export.release.publish import PublishConfig, publish
from imageqx_export.release.sbom import check_sbom
from imageqx_export.release.signing import read_root
from imageqx_export.release.store import FolderStore, open_store
from imageqx_export.release.swift import write_repositories
from imageqx_export.support.files import digest
from tests.release.tiny import Publisher, make_publisher, passphrase, write_export


def test_sha256sum_agrees_and_everybody_may_read(published: Publisher) -> None:
    folder = published.tree / "imageqx" / "1.0.0"
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    done = subprocess.run(check, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    named = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert named == there - {"SHA256SUMS"}
    assert {path.stat().st_mode & 0o777 for path in published.tree.rglob("*") if path.is_file()} == {0o644}
    (published.folder / "copy").mkdir()
    copy = shutil.copytree(folder, published.folder / "copy" / "1.0.0")
    (copy / "imageqx_w8a8.tflite").write_bytes(b"other")
    assert subprocess.run(["sha256sum", "--check", "--status", "SHA256SUMS"], cwd=copy, check=False).returncode == 1


def test_the_bill_of_materials_fits_its_schema_and_names_each_file(published: Publisher, export: Path) -> None:
    bom = json.loads((published.tree / "imageqx" / "1.0.0" / "sbom.cdx.json").read_bytes())
    check_sbom(bom)
    assert bom["metadata"]["component"]["type"] == "machine-learning-model"
    hashes = {one["name"]: one["hashes"][0]["content"] for one in bom["components"] if one["type"] == "file"}
    assert hashes["imageqx_w8a8.tflite"] == digest(export / "imageqx_w8a8.tflite")
    assert {"torch", "tflite"} <= {one["name"] for one in bom["components"] if one["type"] == "library"}
    values = bom["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert {"type": "quality_macro_f1", "value": "0.9"} in values
    for harm in ("modelCard", "dependencies"):
        broken = json.loads(json.dumps(bom))
        if harm == "modelCard":
            broken["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]["value"] = 0.9
        else:
            broken["dependencies"][0].setdefault("dependsOn", []).append("nobody")
        with pytest.raises(ReleaseError):
            check_sbom(broken)


def test_the_provenance_is_signed_and_names_what_was_built_from_what(published: Publisher, export: Path) -> None:
    content = (published.tree / "imageqx" / "1.0.0" / "provenance.intoto.json").read_bytes()
    root = read_root(published.store, published.root).signed
    keys = [root.keys[keyid] for keyid in root.roles["targets"].keyids]
    value = open_statement(content, keys, 1)
    subjects = {one["name"]: one["digest"]["sha256"] for one in value["subject"]}
    assert subjects["imageqx_w8a8.tflite"] == digest(export / "imageqx_w8a8.tflite")
    materials = value["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {"name": "model.safetensors", "digest": {"sha256": digest(export.parent / "model.safetensors")}} in materials
    with pytest.raises(ReleaseError, match="not signed"):
        open_statement(content, [root.keys[keyid] for keyid in root.roles["snapshot"].keyids], 1)
    envelope = json.loads(content)
    envelope["payload"] = "e30="
    with pytest.raises(ReleaseError, match="not signed"):
        open_statement(json.dumps(envelope).encode(), keys, 1)


def test_a_version_never_changes(publisher: Publisher, export: Path, newer: Path) -> None:
    assert publisher.publish(export, "1.0.0").new
    before = {path: path.read_bytes() for path in publisher.tree.rglob("*") if path.is_file()}
    assert not publisher.publish(export, "1.0.0").new
    with pytest.raises(ReleaseError, match=r"1\.0\.0 is published already, with other bytes"):
        publisher.publish(newer, "1.0.0")
    assert {path: path.read_bytes() for path in publisher.tree.rglob("*") if path.is_file()} == before


def test_no_file_that_was_published_gets_other_bytes(
    publisher: Publisher, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that a later program would write otherwise, such as SwiftPM's, are no exception."""
    publisher.publish(export, "1.0.0")
    before = {path: path.read_bytes() for path in publisher.tree.rglob("*") if path.is_file()}
    monkeypatch.setattr(
        "imageqx_export.release.publish.write_repositories",
        lambda *given: dict.fromkeys(write_repositories(*given), b"other"),
    )
    with pytest.raises(ReleaseError, match="a published file would change"):
        publisher.publish(export, "1.0.0")
    assert {path: path.read_bytes() for path in publisher.tree.rglob("*") if path.is_file()} == before


def test_a_release_may_change_its_channel(publisher: Publisher, export: Path) -> None:
    assert publisher.publish(export, "1.0.0", "beta").new
    assert publisher.publish(export, "1.0.0", "stable").new


def test_two_publishers_of_one_version_one_wins_and_the_other_is_told(
    publisher: Publisher, export: Path, newer: Path
) -> None:
    told: list[str] = []

    def run(folder: Path) -> None:
        try:
            publisher.publish(folder, "1.0.0")
            told.append("won")
        except ReleaseError as error:
            told.append(error.what)

    threads = [threading.Thread(target=run, args=[folder]) for folder in (export, newer)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("won") == 1 and any("with other bytes" in one for one in told), told


def test_publishers_of_several_versions_all_succeed(publisher: Publisher, export: Path) -> None:
    threads = [threading.Thread(target=publisher.publish, args=[export, f"1.{minor}.0"]) for minor in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = json.loads(sorted(publisher.tree.glob("metadata/*.targets.json"), key=_version)[-1].read_bytes())
    assert {f"imageqx/1.{minor}.0/release.json" for minor in range(4)} <= set(listed["signed"]["targets"])


def _version(path: Path) -> int:
    return int(path.name.split(".")[0])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("artifact", "not the one that was exported"),
        ("golden", "not the one that was exported"),
        ("parity", "no parity report"),
        ("failed", "parity did not pass"),
        ("checkpoint", "checkpoint is not the one"),
        ("manifest", "no manifest"),
        ("version", "not a version"),
    ],
)
def test_what_is_not_whole_is_not_published(publisher: Publisher, tmp_path: Path, harm: str, message: str) -> None:
    export = write_export(tmp_path / "harmed")
    before = sorted(publisher.tree.rglob("*"))
    if harm == "artifact":
        (export / "imageqx_w8a8.tflite").write_bytes(b"other")
    elif harm == "golden":
        (export / "golden" / "00.png").unlink()
    elif harm == "parity":
        (export / "parity.json").unlink()
    elif harm == "failed":
        text = (export / "parity.json").read_text()
        (export / "parity.json").write_text(text.replace('"problems":[]', '"problems":["too far"]', 1))
    elif harm == "checkpoint":
        (export.parent / "model.safetensors").write_bytes(b"other")
    elif harm == "manifest":
        (export / "manifest.json").unlink()
    with pytest.raises(ImageQXError, match=message):
        publisher.publish(export, "1.0" if harm == "version" else "1.0.0")
    assert sorted(publisher.tree.rglob("*")) == before


def test_what_a_killed_publish_left_can_be_replaced_when_asked_for(
    publisher: Publisher, export: Path, newer: Path
) -> None:
    place = publisher.tree / "imageqx" / "1.0.0" / "SHA256SUMS"
    place.parent.mkdir(parents=True)
    place.write_text("of other bytes\n")
    with pytest.raises(ReleaseError, match=r"another publisher is at 1\.0\.0 with other bytes, or was killed"):
        publisher.publish(export, "1.0.0")
    config = PublishConfig(export, "1.0.0", export.parent / "model.safetensors", replace_unfinished=True)
    assert publish(config, publisher.store, publisher.ring()).new


def test_an_address_of_fsspec_gets_the_same_files(tmp_path: Path, export: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = open_store("memory://bucket/releases")
    assert isinstance(store, FsspecStore)
    publisher = make_publisher(tmp_path)
    for name in ("1.root.json", "1.targets.json", "1.snapshot.json", "timestamp.json"):
        store.replace(f"metadata/{name}", (publisher.tree / "metadata" / name).read_bytes())
    publisher.publish(export, "1.0.0")
    publisher.publish(export, "1.0.0", store=store)
    files = fsspec.filesystem("memory")
    for path in (publisher.tree / "imageqx").rglob("*"):
        if path.is_file():
            assert files.cat(f"/bucket/releases/{path.relative_to(publisher.tree)}") == path.read_bytes()
    assert not store.create("metadata/1.root.json", b"other")
    assert store.read("metadata/1.root.json", 10**6) == (publisher.tree / "metadata" / "1.root.json").read_bytes()


def test_the_web_is_for_reading() -> None:
    with pytest.raises(ReleaseError, match="nothing can be published to a web address"):
        open_store("https://models.example/releases")


def test_of_many_creators_of_a_file_one_succeeds(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    made: list[bool] = []
    threads = [threading.Thread(target=lambda k=k: made.append(store.create("a/b", bytes([k]) * 9))) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.count(True) == 1 and len((tmp_path / "a" / "b").read_bytes()) == 9
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_keys_are_encrypted_and_private(publisher: Publisher) -> None:
    files = sorted(publisher.keys.rglob("*.key"))
    assert [path.name for path in files] == ["root-1.key", "snapshot-1.key", "targets-1.key", "timestamp-1.key"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    with pytest.raises(ReleaseError, match="a key cannot be decrypted"):
        open_keys(publisher.keys, lambda root: "wrong")
    told = (
        subprocess.run(
            ["ssh-keygen", "-y", "-P", passphrase(False), "-f", str(files[1])],
            capture_output=True,
            text=True,
            check=False,
        )
        if shutil.which("ssh-keygen")
        else None
    )
    assert told is None or told.stdout.startswith("ssh-ed25519 "), told

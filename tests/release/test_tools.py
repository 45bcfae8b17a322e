"""The same tree as other tools read it: git over a plain web server, zips, Maven's and Gradle's XML."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from imageqx_export.artifact import Format, Precision
from imageqx_export.release.client import Source, open_releases
from imageqx_export.release.lines import find_url, write_gradle, write_maven, write_swift
from imageqx_export.release.maven import write_versions
from imageqx_export.release.pull import find_artifact
from imageqx_export.support.files import digest
from tests.release.servers import serve
from tests.release.tiny import Publisher

GRADLE = {"v": "https://schema.gradle.org/dependency-verification"}


def git(*words: str | Path, cwd: Path) -> str:
    """Run git without this machine's own settings."""
    clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(cwd), "LC_ALL": "C"}
    done = subprocess.run(["git", *map(str, words)], cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_git_clones_a_package_from_a_plain_web_server(published: Publisher, export: Path, tmp_path: Path) -> None:
    with serve(published.tree) as (address, _):
        url = f"{address}/swift/imageqx-model-fp16.git"
        tags = [line.split("\t")[1] for line in git("ls-remote", "--tags", url, cwd=tmp_path).splitlines()]
        assert tags == ["refs/tags/1.0.0", "refs/tags/1.1.0-beta.1"]
        git("clone", "--quiet", url, "main", cwd=tmp_path)
        git("clone", "--quiet", "--branch", "1.1.0-beta.1", url, "beta", cwd=tmp_path)
    assert digest(tmp_path / "main" / "Sources" / "imageqx_fp16.mlpackage") == digest(export / "imageqx_fp16.mlpackage")
    assert '.copy("imageqx_fp16.mlpackage")' in (tmp_path / "main" / "Package.swift").read_text()
    assert 'version = "1.1.0-beta.1"' in (tmp_path / "beta" / "Sources" / "ImageQXModelFP16.swift").read_text()
    git("fsck", "--strict", "--full", cwd=tmp_path / "beta")


def test_an_aar_has_the_model_and_its_manifest(published: Publisher, export: Path) -> None:
    folder = published.tree / "maven/org/imageqx/imageqx-model-tflite-w8a8/1.0.0"
    aar = folder / "imageqx-model-tflite-w8a8-1.0.0.aar"
    with zipfile.ZipFile(aar) as archive:
        assert archive.testzip() is None
        assert archive.read("assets/imageqx/imageqx_w8a8.tflite") == (export / "imageqx_w8a8.tflite").read_bytes()
        assert archive.read("assets/imageqx/manifest.json") == (export / "manifest.json").read_bytes()
        ElementTree.fromstring(archive.read("AndroidManifest.xml"))
    for kind in ("md5", "sha1", "sha256", "sha512"):
        assert (folder / f"{aar.name}.{kind}").read_text() == hashlib.new(kind, aar.read_bytes()).hexdigest()


def test_gradles_verification_names_what_is_there(published: Publisher) -> None:
    text = (published.tree / "imageqx" / "1.0.0" / "verification-metadata.xml").read_text()
    found = {
        artifact.attrib["name"]: artifact.find("v:sha256", GRADLE)
        for artifact in ElementTree.fromstring(text).iterfind(".//v:artifact", GRADLE)
    }
    files = [path for path in published.tree.glob("maven/**/1.0.0/*") if path.suffix in (".aar", ".pom")]
    assert len(files) == 4
    assert {name: row.attrib["value"] for name, row in found.items() if row is not None} == {
        path.name: digest(path) for path in files
    }


def test_versions_are_listed(published: Publisher) -> None:
    path = published.tree / "maven/org/imageqx/imageqx-model-tflite-w8a8/maven-metadata.xml"
    versioning = ElementTree.fromstring(path.read_text()).find("versioning")
    assert versioning is not None
    assert [row.text for row in versioning.iterfind("versions/version")] == ["1.0.0", "1.1.0-beta.1"]
    assert (versioning.findtext("latest"), versioning.findtext("release")) == ("1.1.0-beta.1", "1.0.0")
    assert (path.parent / "maven-metadata.xml.sha1").read_text() == hashlib.sha1(path.read_bytes()).hexdigest()
    only = write_versions("a", ["1.0.0-rc.1"])
    assert b"<release>1.0.0-rc.1</release>" in next(iter(only.values()))


def test_the_lines_name_what_is_there(published: Publisher, tmp_path: Path) -> None:
    address = str(published.tree)
    with open_releases(Source(address, published.root, tmp_path / "cache")) as releases:
        release = releases.read("imageqx", "1.0.0")
    tflite = find_artifact(release, Format.TFLITE, Precision.W8A8)
    coreml = find_artifact(release, Format.COREML, Precision.FP16)
    assert coreml.minimum == {"ios": "16"}
    assert 'implementation("org.imageqx:imageqx-model-tflite-w8a8:1.0.0@aar")' in write_gradle(address, release, tflite)
    assert "<checksumPolicy>fail</checksumPolicy>" in write_maven(address, release, tflite)
    assert f'url: "{published.tree.as_uri()}/swift/imageqx-model-fp16.git"' in write_swift(address, release, coreml)
    assert find_url("https://models.example/r/") == "https://models.example/r"

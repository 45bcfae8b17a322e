"""What make android-aar writes: the same bytes for the same classes, and a POM that names what an app needs."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest

from android_demo.tools import aar, modules

NAMES = {"m": "http://maven.apache.org/POM/4.0.0"}


def write_jar(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as jar:
        for name, text in files.items():
            jar.writestr(name, text)
    return path


def test_merge_jars_gives_the_same_bytes_whatever_the_dates_and_the_order(tmp_path: Path) -> None:
    files = {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0", "b/B.class": "b", "a/A.class": "a"}
    one = write_jar(tmp_path / "one.jar", files)
    other = write_jar(tmp_path / "other.jar", dict(reversed(files.items())))
    for jar in (one, other):
        aar.merge_jars([jar], jar.with_suffix(".merged"))
    assert one.with_suffix(".merged").read_bytes() == other.with_suffix(".merged").read_bytes()
    with zipfile.ZipFile(one.with_suffix(".merged")) as merged:
        assert merged.namelist() == ["a/A.class", "b/B.class"]


def test_write_pom_names_the_library_and_the_runtimes() -> None:
    pom = ElementTree.fromstring(aar.write_pom(aar.coordinate("1.2.3")))
    assert [
        pom.findtext(f"m:{name}", namespaces=NAMES) for name in ("groupId", "artifactId", "version", "packaging")
    ] == [
        "org.imageqx",
        "imageqx-android",
        "1.2.3",
        "aar",
    ]
    optional = {
        one.findtext("m:artifactId", namespaces=NAMES): one.findtext("m:optional", namespaces=NAMES)
        for one in pom.iterfind(".//m:dependency", NAMES)
    }
    assert optional == {
        "kotlin-stdlib": None,
        "kotlinx-serialization-json-jvm": None,
        "tensorflow-lite": None,
        "tensorflow-lite-gpu": "true",
        "tensorflow-lite-gpu-api": "true",
        "onnxruntime-android": "true",
    }


def test_readme_shows_three_lines(tmp_path: Path) -> None:
    assert len(aar.read_readme_lines(modules.DEMO / "README.md").splitlines()) == 3
    (tmp_path / "README.md").write_text("no Kotlin")
    with pytest.raises(ValueError, match="no Kotlin"):
        aar.read_readme_lines(tmp_path / "README.md")


def test_the_version_in_readme_is_the_packages() -> None:
    assert f"org.imageqx:imageqx-android:{aar.coordinate().version}@aar" in (modules.DEMO / "README.md").read_text()

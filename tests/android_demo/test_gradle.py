"""The Gradle files, which CI cannot run, say what CI compiles: versions, coordinates, source sets, the shared lists."""

from __future__ import annotations

import re
import tomllib
from typing import Any
from xml.etree import ElementTree

import pytest

from android_demo.tools import kotlin, maven
from android_demo.tools.checks import dex
from android_demo.tools.modules import DEMO, list_sources
from android_demo.tools.resources import APP, PACKAGE, VERSION, read_catalogue

LANGUAGES = ("values", "values-da", "values-es")


@pytest.fixture(scope="module")
def catalogue() -> dict[str, Any]:
    with (DEMO / "gradle" / "libs.versions.toml").open("rb") as file:
        return tomllib.load(file)


def read(module: str) -> str:
    return (DEMO / module / "build.gradle.kts").read_text(encoding="utf-8")


def locked(name: str) -> str:
    """Return the version of an artifact in CI's lock."""
    (version,) = {one.version for pins in maven.read_lock().values() for one in pins if one.artifact == name}
    return version


@pytest.mark.parametrize(
    ("gradle", "ci"),
    [
        ("kotlin", "kotlin-compiler-embeddable"),
        ("kotlin", "kotlin-stdlib"),
        ("serialization", "kotlinx-serialization-json-jvm"),
        ("tensorflow-lite", "tensorflow-lite"),
        ("tensorflow-lite", "tensorflow-lite-api"),
        ("tensorflow-lite", "tensorflow-lite-gpu"),
        ("tensorflow-lite-gpu-api", "tensorflow-lite-gpu-api"),
        ("onnxruntime", "onnxruntime"),
        ("robolectric", "robolectric"),
        ("junit4", "junit"),
    ],
)
def test_versions_are_those_that_ci_compiles(catalogue: dict[str, Any], gradle: str, ci: str) -> None:
    version = catalogue["versions"][gradle]
    wanted = {one.version for pins in maven.read_lock().values() for one in pins if one.artifact == ci}
    if ci == "junit":
        wanted = {one.version for pins in maven.read_lock().values() for one in pins if one.group == "junit"}
    assert wanted == {version}


def test_junit_is_of_the_same_release(catalogue: dict[str, Any]) -> None:
    platform = locked("junit-platform-console-standalone")  # 1.13.4 is JUnit 5.13.4's
    assert catalogue["versions"]["junit"] == f"5{platform.removeprefix('1')}"


def test_coordinates_are_in_the_lock(catalogue: dict[str, Any]) -> None:
    groups = {one.group for pins in maven.read_lock().values() for one in pins}
    elsewhere = {"com.google.ai.edge.litert", "org.junit.jupiter", "org.junit.vintage"}  # see README; JUnit's parts
    named = {entry["module"].partition(":")[0] for entry in catalogue["libraries"].values()}
    assert named - elsewhere <= groups
    for entry in catalogue["libraries"].values():
        assert entry["version"]["ref"] in catalogue["versions"]


def test_ci_compiles_against_an_android_that_gradle_knows(catalogue: dict[str, Any]) -> None:
    android = int(locked("android-all").partition("-")[0])  # Android's version; 15 is API 35
    versions = catalogue["versions"]
    assert int(versions["min-sdk"]) == dex.MIN_API == 26
    assert dex.MIN_API < android + 20 <= int(versions["compile-sdk"])
    assert versions["target-sdk"] == versions["compile-sdk"]
    assert locked("gummy-bears-api-26")


def test_every_module_is_included_with_its_sources() -> None:
    settings = (DEMO / "settings.gradle.kts").read_text(encoding="utf-8")
    included = set(re.findall(r'":(\w+)"', settings))
    assert included == {folder.parent.name for folder in DEMO.glob("*/build.gradle.kts")}
    for module in included:
        assert list_sources(module).is_dir()  # src/main/kotlin, the plugins' own default
        further = set(re.findall(r'srcDir\("src/(\w+)/kotlin"\)', read(module)))
        assert further == {one.name for one in (DEMO / module / "src").iterdir()} - {
            "main",
            "test",
            "bench",
        }  # make bench-android's


@pytest.mark.parametrize("module", ["core", "runtime", "app"])
def test_modules_compile_alike(module: str) -> None:
    text = read(module)
    assert f"JvmTarget.JVM_{kotlin.JVM_TARGET}" in text
    assert f"JavaVersion.VERSION_{kotlin.JVM_TARGET}" in text
    assert ("-Werror" in kotlin.OPTIONS) == ("allWarningsAsErrors.set(true)" in text)
    assert ("-progressive" in kotlin.OPTIONS) == ("progressiveMode.set(true)" in text)
    assert set(re.findall(r"alias\(libs\.plugins\.([\w.]+)\)", text)) <= {
        "android.application",
        "android.library",
        "kotlin.android",
        "kotlin.jvm",
        "kotlin.serialization",
    }


def test_names_that_modules_use_are_in_the_catalogue(catalogue: dict[str, Any]) -> None:
    for module in (".", "core", "runtime", "app"):
        for kind, name in re.findall(r"\blibs\.(versions\.|plugins\.|)([a-z][\w.]*)", read(module)):
            section = {"": "libraries", "versions.": "versions", "plugins.": "plugins"}[kind]
            key = name.removesuffix(".get").replace(".", "-")
            assert key in catalogue[section], f"{module}: libs.{kind}{name}"


def test_the_app_is_the_one_that_ci_builds() -> None:
    text = read("app")
    assert f'applicationId = "{PACKAGE}"' in text and f'namespace = "{PACKAGE}"' in text
    assert f'versionName = "{VERSION}"' in text
    assert 'noCompress += "tflite"' in text
    assert int(read_catalogue()["target-sdk"]) >= 36


def test_a_drift_would_be_seen(catalogue: dict[str, Any]) -> None:
    """The negative control: another version in the catalogue is not the lock's."""
    drifted = {**catalogue["versions"], "kotlin": "2.3.0"}
    with pytest.raises(AssertionError):
        test_versions_are_those_that_ci_compiles({**catalogue, "versions": drifted}, "kotlin", "kotlin-stdlib")


def test_the_app_asks_for_the_camera_and_for_nothing_else() -> None:
    android = "{http://schemas.android.com/apk/res/android}"
    root = ElementTree.parse(APP / "AndroidManifest.xml").getroot()
    assert [one.get(f"{android}name") for one in root.iter("uses-permission")] == ["android.permission.CAMERA"]
    (app,) = root.iter("application")
    assert app.get(f"{android}allowBackup") == "false"
    exported = [one.get(f"{android}name") for one in app if one.get(f"{android}exported") == "true"]
    assert exported == [".MainActivity"]


def strings(folder: str) -> dict[str, str]:
    root = ElementTree.parse(APP / "res" / folder / "strings.xml").getroot()
    found = {one.get("name", ""): "".join(one.itertext()) for one in root.iter("string")}
    return found | {one.get("name", ""): one.findtext("item[@quantity='other']") or "" for one in root.iter("plurals")}


def holes(text: str) -> list[str]:
    return sorted(re.findall(r"%\d\$[sd]", text))


@pytest.mark.parametrize("folder", LANGUAGES[1:])
def test_every_text_is_translated_with_the_same_holes(folder: str) -> None:
    english, other = strings("values"), strings(folder)
    assert other.keys() == english.keys()
    for name, text in english.items():
        assert holes(other[name]) == holes(text), name
        assert other[name].strip(), name
    assert sum(other[name] == text for name, text in english.items()) <= 4  # such as "%1$d %%"


def luminance(color: str) -> float:
    """Return a colour's relative luminance. Source: WCAG 2.2, "relative luminance"."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("folder", ["values", "values-night"])
def test_texts_have_contrast(folder: str) -> None:
    root = ElementTree.parse(APP / "res" / folder / "colors.xml").getroot()
    colors = {one.get("name", ""): str(one.text) for one in root.iter("color")}
    grounds = {"ink": ("ground", "ground_raised"), "ink_soft": ("ground", "ground_raised"), "good": ("ground",)}
    grounds |= {"poor": ("ground",), "accent": ("ground_raised",), "on_accent": ("accent",)}
    for text, under in grounds.items():
        for ground in under:
            assert contrast(colors[text], colors[ground]) >= 4.5, f"{text} on {ground}"
    assert contrast("#777777", "#FFFFFF") < 4.5  # the classic that just fails


def test_hints_say_what_the_specs_say() -> None:
    """English texts of reasons and regions are the specs' own, so that a translation is of the same sentence."""
    from imageqx_export.networks.duke_iqa.spec import spec as duke
    from imageqx_export.networks.imageqx.spec import spec as imageqx

    english = strings("values")
    decision = duke().binary
    assert decision is not None and decision.regions is not None
    hints = {**imageqx().hints, **{part.name: part.hint for part in decision.regions.parts}, "duke_iqa": decision.hint}
    for name, hint in hints.items():
        assert english[f"hint_{name}"].replace("\\'", "'") == hint
        assert f"reason_{name}" in english

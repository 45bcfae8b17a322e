"""The list of runtimes: every wheel is pinned, and names are understood."""

from __future__ import annotations

import re

import pytest

from imageqx_export.artifact import Format
from imageqx_export.bundle.runtimes import DEFAULTS, RuntimeRow, parse_version
from imageqx_export.compat.versions.budget import read_runtime_budget
from imageqx_export.compat.versions.catalogue import Choice, choose, list_releases, read_catalogue, read_pins
from imageqx_export.errors import UnknownNameError

PHONES = ("cortex-a53", "cortex-a76", "i8mm")


def test_every_wheel_of_every_release_is_pinned_with_hashes_and_no_other_is() -> None:
    wanted = {requirement for release in list_releases() for requirement in release.requirements}
    pins = read_pins()
    assert set(pins) == wanted, "python -m imageqx_export.compat.versions.lock"
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", line) for line in pins.values())
    assert not any("://" in line for line in pins.values()), "wheels have names, and no index"


def test_versions_are_in_order_one_a_minor_version_and_none_is_missing() -> None:
    for name, line in read_catalogue().runtimes.items():
        assert list(line.versions) == sorted(line.versions, key=parse_version)
        minors = [parse_version(version)[:2] for version in line.versions]
        assert len(set(minors)) == len(minors)
        assert DEFAULTS[name] in line.variants and DEFAULTS[name] not in line.only
        assert set(line.only) <= set(line.variants)
        assert {version for versions in line.only.values() for version in versions} <= set(line.versions)
    numbers = [parse_version(version)[1] for version in read_catalogue().runtimes["onnxruntime"].versions]
    assert numbers == list(range(15, numbers[-1] + 1))


def test_the_versions_of_this_project_are_among_them() -> None:
    from importlib.metadata import version

    for runtime, distribution in {"onnxruntime": "onnxruntime", "litert": "ai-edge-litert"}.items():
        assert version(distribution) in read_catalogue().runtimes[runtime].versions


def test_names_and_the_beginnings_of_versions_are_understood() -> None:
    every = choose([], PHONES, PHONES[:2], ("web:any",))
    assert every.releases == tuple(list_releases()) and every.phones == ("cortex-a53", "cortex-a76")
    assert every.others == ("web:any",)
    wanted = ["onnxruntime==1.15", " litert==2", "emulated:i8mm", "litert==2.3.0"]
    chosen = choose(wanted, PHONES, (), ("web:any",))
    releases = chosen.releases
    assert [release.version for release in releases if release.runtime == "onnxruntime"] == ["1.15.1"]
    assert {release.version[0] for release in releases if release.runtime == "litert"} == {"2"}
    assert len(releases) == len(set(releases)) and chosen.phones == ("i8mm",) and chosen.others == ()
    assert all(release.format is Format.TFLITE for release in releases if release.runtime == "litert")
    assert choose([" web:any"], PHONES, PHONES, ("web:any",)) == Choice((), (), ("web:any",))


@pytest.mark.parametrize("name", ["openvino", "onnxruntime==1.1", "litert==2.3.0.1", "emulated:pixel", "web:other"])
def test_unknown_names_are_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(UnknownNameError, match="expected: one of"):
        choose([name], PHONES, (), ("web:any",))


def test_a_variant_that_came_later_is_not_asked_of_older_versions() -> None:
    variants = {release.version: release.variants for release in list_releases() if release.runtime == "litert"}
    assert "compiled" not in variants["1.0.1"] and "compiled" in variants["1.3.0"]
    assert all("xnnpack" in variants[version] and "builtin" in variants[version] for version in variants)
    assert "reference" in variants[max(variants, key=parse_version)]


def test_an_environment_is_named_by_its_runtime_and_its_wheels() -> None:
    first, second = (release.environment.folder.name for release in list_releases()[:2])
    assert re.fullmatch(r"onnxruntime-1\.15\.1-[0-9a-f]{16}", first) and first.rpartition("-")[2] not in second


def test_the_shipped_budget_speaks_of_every_format_and_leaves_the_reference_kernels_alone() -> None:
    budget = read_runtime_budget()

    def covered(artifact: str, runtime: str, version: str, variant: str) -> bool:
        fields = {"sha256": "", "machine": "x86-64", "app": "", "verdict": "right"}
        named = {"artifact": artifact, "runtime": runtime, "version": version, "variant": variant}
        return budget.covers(RuntimeRow.model_validate({**fields, **named}))

    assert covered("a_fp32.onnx", "onnxruntime", "1.15.1", "default")
    assert covered("a_fp32.tflite", "litert", "2.3.0", "xnnpack") and covered("a.mlpackage", "coremltools", "9.0", "")
    assert not covered("a_fp32.onnx", "onnxruntime", "1.9.0", "default"), "1.9 is older than 1.15"
    assert not covered("a_fp32.tflite", "onnxruntime", "1.20.0", "default")

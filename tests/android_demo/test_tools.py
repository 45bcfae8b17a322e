"""The tools that build android_demo: the lock, JDKs, steps and the launcher's summary."""

from __future__ import annotations

from pathlib import Path

import pytest

from android_demo.tools import jdk, maven, steps
from android_demo.tools.junit import read_counts
from imageqx_export.errors import ImageQXError, UnavailableError

SUMMARY = """
[         5 tests found           ]
[         2 tests skipped         ]
[         0 tests aborted         ]
[         3 tests successful      ]
[         1 tests failed          ]
"""


def make_jdk(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "javac").touch()
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.fixture
def no_jdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Hide this machine's JDKs."""
    monkeypatch.setattr(jdk, "_PLACES", (str(tmp_path),))
    monkeypatch.setattr("shutil.which", lambda _: None)
    for name in jdk.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_find_jdk_prefers_the_named_one_then_the_oldest_that_is_new_enough(
    tmp_path: Path, no_jdk: pytest.MonkeyPatch
) -> None:
    old, wanted, new = (make_jdk(tmp_path / v, v) for v in ("1.8.0_402", "17.0.15", "25"))
    assert jdk.find_jdk() == jdk.Jdk(wanted, 17)
    assert jdk.find_jdk(25).home == new
    no_jdk.setenv("JAVA_HOME", str(new))
    assert jdk.find_jdk().version == 25
    no_jdk.setenv("JAVA_HOME", str(old))
    assert jdk.find_jdk().version == 17


def test_find_jdk_says_which_package_is_missing(tmp_path: Path, no_jdk: pytest.MonkeyPatch) -> None:
    make_jdk(tmp_path / "11", "11.0.2")
    with pytest.raises(UnavailableError, match=r"11 \(11\)(.|\n)*apt install openjdk-17-jdk-headless"):
        jdk.find_jdk()


def test_every_file_of_the_lock_is_pinned_once_a_version() -> None:
    pins: dict[maven.Coordinate, str] = {}
    for named in maven.read_lock().values():
        for coordinate, sha in named.items():
            assert len(sha) == 64 and pins.setdefault(coordinate, sha) == sha, coordinate
    names = [(one.group, one.artifact) for one in pins]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("text", ["a:b", "a:b:", "a:b:c:d", ""])
def test_parse_coordinate_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ImageQXError, match="not a Maven coordinate"):
        maven.parse_coordinate(text)


def test_fetch_deletes_a_file_that_is_not_the_pinned_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "maven.toml"
    lock.write_text(f'[one]\n"org.example:thing:1" = "{"0" * 64}"\n')
    monkeypatch.setattr(maven, "LOCK", lock)
    monkeypatch.setattr(maven, "REPOSITORY", tmp_path)
    jar = tmp_path / "org" / "example" / "thing" / "1" / "thing-1.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"other")
    with pytest.raises(ImageQXError, match="not the one that was pinned"):
        maven.fetch("one")
    assert not jar.exists()


def test_fetch_names_maven_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maven, "REPOSITORY", tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(UnavailableError, match="apt install maven"):
        maven.fetch("junit")


def test_a_step_runs_again_only_when_an_input_or_an_option_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "BUILD", tmp_path / "build")
    source, runs = tmp_path / "in", []
    source.write_text("1")

    def make(output: Path) -> None:
        runs.append(source.read_text())
        output.write_text(runs[-1])

    for text, option in (("1", "a"), ("1", "a"), ("2", "a"), ("2", "b"), ("2", "b")):
        source.write_text(text)
        assert steps.run_step("copy", [source], make, options=[option]).read_text() == text
    assert runs == ["1", "2", "2"]


def test_a_step_that_fails_leaves_nothing_and_runs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "BUILD", tmp_path / "build")

    def fail(output: Path) -> None:
        output.write_text("half")
        raise ImageQXError("broken")

    with pytest.raises(ImageQXError, match="broken"):
        steps.run_step("half", [], fail)
    assert not (tmp_path / "build" / "half").exists()
    assert steps.run_step("half", [], lambda output: output.touch()).exists()


def test_read_counts_reads_the_launchers_summary() -> None:
    counts = read_counts(SUMMARY)
    assert (counts.found, counts.successful, counts.failed, counts.skipped, counts.aborted) == (5, 3, 1, 2, 0)
    assert read_counts("Could not find the main class").found == 0

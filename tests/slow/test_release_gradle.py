"""Debian's Gradle takes a released model by the lines that ``imageqx pull`` prints: ``make test-release``.

It is 4.4.1: newer ones, which know ``verification-metadata.xml``, are on none of the registries that tests use.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli, call_cli
from tests.release.gradle import run_gradle
from tests.release.servers import Handler, serve
from tests.release.tiny import Publisher, make_publisher, write_export

MODEL = "imageqx_w8a8.tflite"
TAKE = """
task take(type: Copy) {
    from { configurations.runtimeClasspath.collect { zipTree(it) } }
    include "assets/**"
    into "taken"
}
"""


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files that look like an export's."""
    return write_export(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, export: Path) -> Publisher:
    """Publish 1.0.0."""
    publisher = make_publisher(tmp_path_factory.mktemp("published"))
    publisher.publish(export, "1.0.0")
    return publisher


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Give an empty project."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "settings.gradle").touch()
    return folder


def write_build(app: Path, published: Publisher, address: str, cli: Cli = call_cli) -> None:
    """Write a build of the lines that a pull from ``address`` prints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGEQX_RELEASES_CACHE", str(app.parent / "cache"))
        words = ("--format", "tflite", "--precision", "w8a8", "--from", address, "--root", published.root)
        done = cli("pull", "imageqx@1.0.0", *words, "--out", app.parent / "pulled")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    (first,) = (number for number, line in enumerate(lines) if line.startswith("repositories {"))
    assert lines[first + 1].startswith("dependencies {")
    (app / "build.gradle").write_text("\n".join(['apply plugin: "java"', *lines[first:], TAKE]))


def test_from_the_folder(published: Publisher, export: Path, app: Path) -> None:
    write_build(app, published, str(published.tree))
    done = run_gradle(["--offline", "take"], app, [published.tree])
    assert done.returncode == 0, done.stdout + done.stderr
    assert (app / "taken" / "assets" / "imageqx" / MODEL).read_bytes() == (export / MODEL).read_bytes()
    assert (app / "taken" / "assets" / "imageqx" / "manifest.json").is_file()


def test_from_a_server_and_then_from_its_own_cache(published: Publisher, export: Path, app: Path) -> None:
    with serve(published.tree) as (address, _):
        write_build(app, published, address)
        done = run_gradle(["take"], app)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (app / "taken" / "assets" / "imageqx" / MODEL).read_bytes() == (export / MODEL).read_bytes()
    again = run_gradle(["--offline", "--rerun-tasks", "take"], app)
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_version_that_was_never_published_is_not_found(published: Publisher, app: Path) -> None:
    write_build(app, published, str(published.tree))
    build = app / "build.gradle"
    build.write_text(build.read_text().replace("w8a8:1.0.0@aar", "w8a8:1.0.1@aar"))
    done = run_gradle(["--offline", "take"], app, [published.tree])
    assert done.returncode != 0 and "Could not find org.imageqx:imageqx-model-tflite-w8a8:1.0.1" in done.stderr


def test_without_verification_metadata_gradle_takes_other_bytes(published: Publisher, export: Path, app: Path) -> None:
    """It does not even ask for the checksums beside them: why docs/release.md says what goes into ``gradle/``."""

    def swap(handler: Handler, path: str) -> bool:
        if not path.endswith(".aar"):
            return False
        content = (handler.folder / path.lstrip("/")).read_bytes()
        model = (export / MODEL).read_bytes()
        assert content.count(model) == 1  # stored, and so found
        handler.answer(200, content.replace(model, bytes(len(model))))
        return True

    with serve(published.tree) as (honest, _):
        write_build(app, published, honest)
    with serve(published.tree, swap) as (address, asked):
        build = app / "build.gradle"
        build.write_text(
            build.read_text().replace(honest, address).replace("zipTree(it)", "it").replace("assets/**", "*")
        )
        done = run_gradle(["take"], app)
    assert done.returncode == 0, done.stdout + done.stderr
    (taken,) = (app / "taken").glob("*.aar")
    assert (export / MODEL).read_bytes() not in taken.read_bytes()
    assert not any(path.endswith((".sha1", ".md5", ".sha256", ".sha512")) for path, _ in asked)

"""The Swift code's format and documentation: ``make test-ios``. Each check has a twin that must fail."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.ios import toolchain
from tests.slow.test_ios_app import DEMO, KIT, compile_sil, list_sources, modules

__all__ = ["modules"]  # a fixture

LINTED = ("ImageQXKit/Sources", "ImageQXKit/Tests", "ImageQXKit/Package.swift", "PhotoCheck")
DOCC = "ImageQXKit.docc"


def lint(demo: Path) -> subprocess.CompletedProcess[str]:
    """Run swift-format's own lint over the demonstration's Swift files."""
    options = ["--strict", "--recursive", "--configuration", ".swift-format"]
    return toolchain.run(["swift-format", "lint", *options, *LINTED], demo)


def document(sources: list[Path], docc: Path, modules: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Write the kit's documentation, warnings being errors."""
    (folder / "graphs").mkdir(parents=True)
    graphs = ["-emit-symbol-graph", "-emit-symbol-graph-dir", str(folder / "graphs")]
    interface = ["-emit-module", "-emit-module-path", str(folder / "ImageQXKit.swiftmodule")]
    done = compile_sil("ImageQXKit", sources, modules, *interface, *graphs, binds=[folder])
    assert done.returncode == 0, done.stderr
    names = ["--fallback-display-name", "ImageQXKit", "--fallback-bundle-identifier", "org.imageqx.kit"]
    places = ["--additional-symbol-graph-dir", str(folder / "graphs"), "--output-dir", str(folder / "documentation")]
    words = ["docc", "convert", str(docc), *places, *names, "--warnings-as-errors"]
    return toolchain.run(words, DEMO, binds=[folder, docc.parent])


def test_the_code_is_formatted() -> None:
    done = lint(DEMO)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    static func hint", "  static func hint", "Indentation"),
        ("enum Words", "enum words", "TypeNamesShouldBeCapitalized"),
        ("table: nil)", "table: nil);", "DoNotUseSemicolons"),
    ],
)
def test_unformatted_code_is_found(old: str, new: str, says: str, tmp_path: Path) -> None:
    for name in LINTED[:2]:
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(DEMO / ".swift-format", tmp_path)
    shutil.copy(DEMO / LINTED[2], tmp_path / LINTED[2])
    (tmp_path / "PhotoCheck").mkdir()
    text = (DEMO / "PhotoCheck" / "Words.swift").read_text()
    assert old in text
    (tmp_path / "PhotoCheck" / "Words.swift").write_text(text.replace(old, new))
    done = lint(tmp_path)
    assert done.returncode != 0 and says in done.stderr


def test_the_documentation_has_no_warning(modules: Path, tmp_path: Path) -> None:
    done = document(list_sources(DEMO, KIT), DEMO / KIT / DOCC, modules, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    written = tmp_path / "documentation" / "data" / "documentation" / "imageqxkit"
    assert (written / "imageqx.json").is_file() and (written / "coremlmodel.json").is_file()


def test_a_link_that_leads_nowhere_is_found(modules: Path, tmp_path: Path) -> None:
    shutil.copytree(DEMO / KIT / DOCC, tmp_path / DOCC)
    page = tmp_path / DOCC / "ImageQXKit.md"
    page.write_text(page.read_text().replace("``RetakePolicy``", "``RetakeRule``"))
    done = document(list_sources(DEMO, KIT), tmp_path / DOCC, modules, tmp_path / "out")
    assert done.returncode != 0 and "RetakeRule" in done.stdout + done.stderr

"""The hand-written Xcode project, and broken twins of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ios.project_file import find_problems, parse

DEMO = Path(__file__).parents[2] / "ios_demo"
PROJECT = DEMO / "PhotoCheck.xcodeproj"


def test_the_project_has_no_problem() -> None:
    assert find_problems(PROJECT) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("productRef = A10000000000000000000014", "productRef = A10000000000000000000099", "which is not there"),
        ("isa = PBXGroup;", "isa = PBXGrp;", "isa PBXGrp is not known"),
        ("\t\t\tshellPath = /bin/sh;\n", "", "without shellPath"),
        ("buildPhases = (", "buildPhases = (\n\t\t\t\tA10000000000000000000003,", "expected a BuildPhase"),
        ("\t\t\t\tA10000000000000000000012 /* Take the model */,\n", "", "reached from nowhere"),
        ("A10000000000000000000021 /* Release */ = {", "A10000000000000000000018 /* Release */ = {", "comes twice"),
        ("objectVersion = 77", "objectVersion = 56", "objectVersion"),
        ("rootObject = A10000000000000000000013", "rootObject = A10000000000000000000007", "no PBXProject"),
        ("relativePath = ImageQXKit", "relativePath = Kit", "no package Kit"),
        ("path = PhotoCheck;", "path = Photo;", "no folder Photo"),
        ("take_model.py", "take.py", "no script take.py"),
        ("SWIFT_VERSION = 6.0", "SWIFT_VERSION = 5.0", "SWIFT_VERSION is 5.0"),
        ("\t\t\tname = Products;\n", "\t\t\tname = Products\n", "expected ;"),
        ("\trootObject =", "}\n\trootObject =", "something follows"),
    ],
)
def test_a_broken_twin_is_found(old: str, new: str, says: str, tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "demo", ignore=shutil.ignore_patterns("Model", ".build"))
    project = tmp_path / "demo" / PROJECT.name
    text = (PROJECT / "project.pbxproj").read_text()
    assert old in text
    (project / "project.pbxproj").write_text(text.replace(old, new))
    assert any(says in problem for problem in find_problems(project)), find_problems(project)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("A10000000000000000000009", "A10000000000000000000013", "no target PhotoCheck"),
        ("container:PhotoCheck", "container:Other", "another container"),
    ],
)
def test_a_broken_scheme_is_found(old: str, new: str, says: str, tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "demo", ignore=shutil.ignore_patterns("Model", ".build"))
    project = tmp_path / "demo" / PROJECT.name
    scheme = project / "xcshareddata" / "xcschemes" / "PhotoCheck.xcscheme"
    scheme.write_text(scheme.read_text().replace(old, new))
    assert any(says in problem for problem in find_problems(project))
    scheme.unlink()
    assert find_problems(project) == ["no shared scheme"]


def test_a_property_list_is_read() -> None:
    assert parse('// !\n{ a = (1, "b c", ); /* no */ d = { e = "f;g"; }; }') == {"a": ["1", "b c"], "d": {"e": "f;g"}}
    for text in ("", "{", "{ a = ", "{ a = (1 2); }", "{ a = 1; a = 2; }", "(1,)", "{ a = }; }"):
        with pytest.raises(ValueError, match=r"line 1|cut off|dictionary"):
            parse(text)

"""Check a hand-written Xcode project: every id leads somewhere, every object is of a known kind and has what it needs.

No library that reads these files finds a dangling id, and Xcode's own answer to one is a project that does not open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

Value = str | list["Value"] | dict[str, "Value"]

REQUIRED = {
    "PBXBuildFile": (),
    "PBXFileReference": ("path", "sourceTree"),
    "PBXFileSystemSynchronizedRootGroup": ("path", "sourceTree"),
    "PBXFrameworksBuildPhase": ("files",),
    "PBXGroup": ("children", "sourceTree"),
    "PBXNativeTarget": (
        "buildConfigurationList",
        "buildPhases",
        "name",
        "productName",
        "productReference",
        "productType",
    ),
    "PBXProject": ("buildConfigurationList", "mainGroup", "targets", "knownRegions", "developmentRegion"),
    "PBXResourcesBuildPhase": ("files",),
    "PBXShellScriptBuildPhase": ("shellPath", "shellScript"),
    "PBXSourcesBuildPhase": ("files",),
    "XCBuildConfiguration": ("buildSettings", "name"),
    "XCConfigurationList": ("buildConfigurations", "defaultConfigurationName"),
    "XCLocalSwiftPackageReference": ("relativePath",),
    "XCSwiftPackageProductDependency": ("productName",),
}
"""Per kind of object, the keys without which Xcode cannot read it."""

REFERENCES = {
    "buildConfigurationList": "XCConfigurationList",
    "buildConfigurations": "XCBuildConfiguration",
    "buildPhases": "BuildPhase",
    "children": "",
    "fileRef": "",
    "fileSystemSynchronizedGroups": "PBXFileSystemSynchronizedRootGroup",
    "files": "PBXBuildFile",
    "mainGroup": "PBXGroup",
    "packageProductDependencies": "XCSwiftPackageProductDependency",
    "packageReferences": "XCLocalSwiftPackageReference",
    "productRef": "XCSwiftPackageProductDependency",
    "productRefGroup": "PBXGroup",
    "productReference": "PBXFileReference",
    "targets": "PBXNativeTarget",
}
"""Per key that holds ids, how the kind of what it names ends; empty for any."""

SETTINGS = {"SWIFT_VERSION": "6.0", "IPHONEOS_DEPLOYMENT_TARGET": "17.0", "SDKROOT": "iphoneos"}
"""What each of the project's configurations says."""

_TOKEN = re.compile(r'\s+|//[^\n]*|/\*.*?\*/|("(?:[^"\\]|\\.)*")|([\w.$/<>-]+)|([{}()=;,])', re.DOTALL)
_ID = re.compile(r"[0-9A-F]{24}")


def parse(text: str) -> dict[str, Value]:
    """Read an OpenStep property list.

    Raises:
        ValueError: It is none, or a dictionary has a key twice; the message says in which line.
    """
    tokens = list(_tokenize(text))
    value, end = _read(tokens, 0)
    if end != len(tokens) or not isinstance(value, dict):
        raise ValueError("something follows the property list, or it is no dictionary")
    return value


def _tokenize(text: str) -> Iterator[tuple[str, int]]:
    place, line = 0, 1
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise ValueError(f"line {line}: unexpected {text[place : place + 20]!r}")
        if token := found[1] or found[2] or found[3]:
            yield token, line
        line += found[0].count("\n")
        place = found.end()


def _read(tokens: list[tuple[str, int]], at: int) -> tuple[Value, int]:
    if at >= len(tokens):
        raise ValueError("the file is cut off")
    token, line = tokens[at]
    if token == "{":
        return _read_dictionary(tokens, at + 1)
    if token == "(":
        values: list[Value] = []
        at += 1
        while at < len(tokens) and tokens[at][0] != ")":
            value, at = _read(tokens, at)
            values.append(value)
            at = _expect(tokens, at, ",")
        return values, _expect(tokens, at, ")")
    if token in "})=;,":
        raise ValueError(f"line {line}: unexpected {token}")
    return token.strip('"') if token.startswith('"') else token, at + 1


def _read_dictionary(tokens: list[tuple[str, int]], at: int) -> tuple[Value, int]:
    fields: dict[str, Value] = {}
    while at < len(tokens) and tokens[at][0] != "}":
        key, line = tokens[at]
        if key in fields:
            raise ValueError(f"line {line}: {key} comes twice")
        at = _expect(tokens, at + 1, "=")
        fields[key], at = _read(tokens, at)
        at = _expect(tokens, at, ";")
    return fields, _expect(tokens, at, "}")


def _expect(tokens: list[tuple[str, int]], at: int, mark: str) -> int:
    if at >= len(tokens):
        raise ValueError("the file is cut off")
    if tokens[at][0] != mark:
        raise ValueError(f"line {tokens[at][1]}: expected {mark}, got {tokens[at][0]}")
    return at + 1


def find_problems(project: Path) -> list[str]:
    """List what is wrong with an ``.xcodeproj``; an empty list is a pass."""
    try:
        file = parse((project / "project.pbxproj").read_text())
    except ValueError as error:
        return [str(error)]
    objects = {name: fields for name, fields in _dictionary(file, "objects").items() if isinstance(fields, dict)}
    problems = [] if file.get("objectVersion") == "77" else ["objectVersion is not 77"]
    root = str(file.get("rootObject"))
    if objects.get(root, {}).get("isa") != "PBXProject":
        return [*problems, f"rootObject {root} is no PBXProject"]
    for name, fields in objects.items():
        problems += _check_object(name, fields, objects)
    reached = _reach(root, objects)
    problems += [f"{name} is reached from nowhere" for name in objects if name not in reached]
    rest = (_check_settings(objects), _check_paths(project, objects), _check_schemes(project, objects))
    return [*problems, *(problem for check in rest for problem in check)]


def _dictionary(fields: dict[str, Value], key: str) -> dict[str, Value]:
    value = fields.get(key)
    return value if isinstance(value, dict) else {}


def _check_object(name: str, fields: dict[str, Value], objects: dict[str, dict[str, Value]]) -> Iterator[str]:
    kind = str(fields.get("isa"))
    if not _ID.fullmatch(name):
        yield f"{name} is no id"
    if kind not in REQUIRED:
        yield f"{name}: isa {kind} is not known"
        return
    yield from (f"{name}: a {kind} without {key}" for key in REQUIRED[kind] if key not in fields)
    if kind == "PBXBuildFile" and not {"fileRef", "productRef"} & set(fields):
        yield f"{name}: a PBXBuildFile of nothing"
    for key, wanted in REFERENCES.items():
        value = fields.get(key, [])
        for other in value if isinstance(value, list) else [value]:
            got = objects.get(str(other), {}).get("isa")
            if got is None:
                yield f"{name}: {key} names {other}, which is not there"
            elif not str(got).endswith(wanted):
                yield f"{name}: {key} names a {got}, expected a {wanted}"


def _reach(root: str, objects: dict[str, dict[str, Value]]) -> set[str]:
    reached: set[str] = set()
    open_ids = [root]
    while open_ids:
        name = open_ids.pop()
        if name in reached or name not in objects:
            continue
        reached.add(name)
        for key in REFERENCES:
            value = objects[name].get(key, [])
            open_ids += [str(other) for other in (value if isinstance(value, list) else [value])]
    return reached


def _check_settings(objects: dict[str, dict[str, Value]]) -> Iterator[str]:
    for fields in objects.values():
        if fields.get("isa") != "PBXProject":
            continue
        listed = objects.get(str(fields.get("buildConfigurationList")), {}).get("buildConfigurations", [])
        for name in listed if isinstance(listed, list) else []:
            settings = _dictionary(objects.get(str(name), {}), "buildSettings")
            for key, wanted in SETTINGS.items():
                if settings.get(key) != wanted:
                    yield f"{name}: {key} is {settings.get(key)}, expected {wanted}"


def _check_paths(project: Path, objects: dict[str, dict[str, Value]]) -> Iterator[str]:
    for name, fields in objects.items():
        if (
            fields.get("isa") == "PBXFileSystemSynchronizedRootGroup"
            and not (project.parent / str(fields["path"])).is_dir()
        ):
            yield f"{name}: no folder {fields['path']}"
        if fields.get("isa") == "XCLocalSwiftPackageReference":
            package = project.parent / str(fields.get("relativePath")) / "Package.swift"
            if not package.is_file():
                yield f"{name}: no package {fields.get('relativePath')}"
        if fields.get("isa") == "PBXShellScriptBuildPhase":
            for script in re.findall(r"\$SRCROOT/([\w./-]+)", str(fields.get("shellScript"))):
                if not (project.parent / script).is_file():
                    yield f"{name}: no script {script}"


def _check_schemes(project: Path, objects: dict[str, dict[str, Value]]) -> Iterator[str]:
    schemes = sorted((project / "xcshareddata" / "xcschemes").glob("*.xcscheme"))
    if not schemes:
        yield "no shared scheme"
    for scheme in schemes:
        for one in ElementTree.parse(scheme).iter("BuildableReference"):
            name = one.get("BlueprintIdentifier", "")
            target = objects.get(name, {})
            if target.get("isa") != "PBXNativeTarget" or target.get("name") != one.get("BlueprintName"):
                yield f"{scheme.name}: no target {one.get('BlueprintName')} with the id {name}"
            if one.get("ReferencedContainer") != f"container:{project.name}":
                yield f"{scheme.name}: another container than {project.name}"

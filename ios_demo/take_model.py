#!/usr/bin/env python3
"""Take the models that the app ships from an export or a release, each checked against the manifest's digest.

``python3 take_model.py [--from FOLDER] [--precision fp16 …]`` fills ``ios_demo/Model``, which Xcode copies into the
app. It needs nothing but Python 3.9, as Xcode brings it. Nothing is left half-taken: the folder is filled aside and
renamed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXPORT = HERE.parent / "artifacts" / "imageqx"
MODEL = HERE / "Model"


class RefusedError(Exception):
    """What is wrong with the folder that was given, for a person."""


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder: of the lines ``<sha256>  <relative name>``, sorted by name."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    files = sorted((p.relative_to(path).as_posix(), p) for p in path.rglob("*") if p.is_file())
    return hashlib.sha256("".join(f"{digest(p)}  {name}\n" for name, p in files).encode()).hexdigest()


def read_manifest(folder: Path) -> dict:
    """Read ``manifest.json``.

    Raises:
        RefusedError: There is none, or none of a version that is known here.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
        known = manifest.get("schema_version") == 1 and isinstance(manifest["artifacts"], list)
    except FileNotFoundError:
        raise RefusedError(f"{path}: no such file; run make export, or give a release's folder: --from") from None
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise RefusedError(f"{path} is no manifest: {error}") from None
    if not known:
        raise RefusedError(f"{path}: schema_version {manifest.get('schema_version')} is not known here, 1 is")
    return manifest


def take(source: Path, precisions: list, target: Path) -> list:
    """Copy the manifest, the packages of some precisions, and the golden pictures with what they should give.

    Args:
        source: An export's or a release's folder.
        precisions: Such as ``["fp16"]``.
        target: Replaced as a whole.

    Returns:
        The names of the packages.

    Raises:
        RefusedError: Something is missing, or is not what the manifest says; the target stays as it was.
    """
    manifest = read_manifest(source)
    found = {one["precision"]: one for one in manifest["artifacts"] if one["format"] == "coreml"}
    for precision in precisions:
        if precision not in found:
            raise RefusedError(f"{source} has no Core ML model of {precision}, it has {', '.join(found) or 'none'}")
    aside = target.with_name(f".{target.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        shutil.copy(source / "manifest.json", aside)
        for name, expected in {
            **{found[precision]["path"]: found[precision]["sha256"] for precision in precisions},
            **{f"golden/{name}": sha256 for name, sha256 in manifest.get("golden", {}).items()},
        }.items():
            copy_checked(source, aside, name, expected)
        shutil.rmtree(target, ignore_errors=True)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return [found[precision]["path"] for precision in precisions]


def check(folder: Path) -> list:
    """Check the packages that have been taken, and return their names.

    Raises:
        RefusedError: There are none, or one is not what the manifest says.
    """
    listed = [one for one in read_manifest(folder)["artifacts"] if one["format"] == "coreml"]
    there = {one["path"]: one["sha256"] for one in listed if (folder / one["path"]).exists()}
    for name, expected in there.items():
        if digest(folder / name) != expected:
            raise RefusedError(f"{folder / name} is not the one that was exported; run take_model.py again")
    if not there:
        raise RefusedError(f"{folder} has no Core ML model; run take_model.py again")
    return list(there)


def copy_checked(source: Path, target: Path, name: str, expected: str) -> None:
    """Copy a file or folder, and refuse a copy of another digest.

    Raises:
        RefusedError: It is missing, leaves the folder, or is another.
    """
    parts = Path(name).parts
    if Path(name).is_absolute() or ".." in parts:
        raise RefusedError(f"the manifest names a file outside its folder: {name}")
    place, copy = source / name, target / name
    if not place.exists():
        raise RefusedError(f"{place}: no such file")
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(place, copy) if place.is_dir() else shutil.copy(place, copy)
    got = digest(copy)
    if got != expected:
        raise RefusedError(f"{place} is not the one that was exported: expected SHA-256 {expected}, got {got}")


def main(words: list) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--from", dest="source", type=Path, default=EXPORT, help="an export's or a release's folder")
    parser.add_argument("--precision", action="append", choices=("fp32", "fp16", "w8", "w8a8"), help="default: fp16")
    parser.add_argument("--to", type=Path, default=MODEL, help=argparse.SUPPRESS)
    parser.add_argument("--keep", action="store_true", help="leave a model that is there already")
    options = parser.parse_args(words)
    try:
        if options.keep and options.to.exists():
            print(f"kept {', '.join(check(options.to))}")
            return 0
        taken = take(options.source, options.precision or ["fp16"], options.to)
    except RefusedError as refused:
        print(f"error: {refused}", file=sys.stderr)  # Xcode shows lines that begin so
        return 1
    print(f"took {', '.join(taken)} from {options.source}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Versions of a folder, which is whole or not."""

from __future__ import annotations

from pathlib import Path

from imageqx_export.support.folders import Layout, stage_folder

LAYOUT = Layout.of_names("a version", ("a", "b"))


def fill(folder: Path, version: int) -> None:
    """Write the two files of which a whole folder consists."""
    for name in ("a", "b"):
        (folder / name).write_text(str(version))


def version(folder: Path) -> str:
    """Tell a whole folder's version, and fail on half of one."""
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    one, other = (folder / "a").read_text(), (folder / "b").read_text()
    assert one == other
    return one


def publish(target: Path, number: int) -> None:
    with stage_folder(target, LAYOUT) as staging:
        fill(staging.path, number)
        assert staging.publish() == target

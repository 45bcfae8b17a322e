"""A pull of a newer release, over an older one, that is killed while its files take their places."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imageqx_export.artifact import Format, Precision
from imageqx_export.bundle.manifest import MANIFEST_FILE, read_manifest
from imageqx_export.release.client import Source
from imageqx_export.release.names import parse_wanted
from imageqx_export.release.pull import pull
from imageqx_export.support.files import digest
from tests.release.tiny import Publisher

# Renames are counted by Python's own audit; folders are swapped by the system's library, which it does not see.
PULL = """
import os, signal, sys
from pathlib import Path
from imageqx_export.artifact import Format, Precision
from imageqx_export.release.client import Source
from imageqx_export.release.names import parse_wanted
from imageqx_export.release.pull import pull
from imageqx_export.support import folders

tree, root, cache, out, format, precision, number = sys.argv[1:]
left = [int(number)]

def count(event, arguments):
    inside = event == "os.rename" and str(arguments[1]).startswith(out)
    if inside or event == "swap":
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
swap = folders._exchange
folders._exchange = lambda one, other: (sys.audit("swap"), swap(one, other))[1]
source = Source(tree, Path(root), Path(cache))
pull(parse_wanted("imageqx@beta"), Format(format), Precision(precision), source, Path(out), golden=True)
"""
KINDS = [(Format.TFLITE, Precision.W8A8, 3), (Format.COREML, Precision.FP16, 3)]


@pytest.mark.parametrize(("format", "precision", "moves"), KINDS)
def test_no_manifest_is_ever_beside_a_model_of_another_release(
    format: Format, precision: Precision, moves: int, published: Publisher, newer: Path, tmp_path: Path
) -> None:
    """The model, a golden picture and the manifest take their places; killed before each, the same pull mends it."""
    cache = tmp_path / "cache"
    for number in range(1, moves + 1):
        out = tmp_path / str(number)
        source = Source(str(published.tree), published.root, cache)
        pull(parse_wanted("imageqx@1.0.0"), format, precision, source, out, golden=True)
        (out / "theirs.txt").write_text("theirs")
        words = [published.tree, published.root, cache, out, format, precision, number]
        done = subprocess.run([sys.executable, "-c", PULL, *map(str, words)], capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert _find_version(out, published) is None
        pull(parse_wanted("imageqx@beta"), format, precision, source, out, golden=True)
        assert digest(out / MANIFEST_FILE) == digest(newer / MANIFEST_FILE)
        assert _find_version(out, published) == "1.1.0-beta.1"
        names = ["golden", f"imageqx_{precision}{format.suffix}", MANIFEST_FILE, "theirs.txt"]
        assert sorted(path.name for path in out.iterdir()) == names, "nothing else is left"


def _find_version(out: Path, published: Publisher) -> str | None:
    """Return of which release a folder's manifest is, or None; what it names and is there must be as it says."""
    if not (out / MANIFEST_FILE).exists():
        return None
    manifest = read_manifest(out)
    for one in manifest.artifacts:
        assert not (out / one.path).exists() or digest(out / one.path) == one.sha256
    for name, sha256 in manifest.golden.items():
        assert digest(out / "golden" / name) == sha256
    (version,) = (
        version
        for version in ("1.0.0", "1.1.0-beta.1")
        if digest(published.tree / "imageqx" / version / MANIFEST_FILE) == digest(out / MANIFEST_FILE)
    )
    return version

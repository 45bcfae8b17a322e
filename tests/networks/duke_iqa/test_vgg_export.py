"""A small network of VGG16's kinds of layers through the export: every format, in every precision, held to PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imageqx_export.artifact import Format, Precision
from tests.networks.offered import offer
from tests.networks.small_vgg import NAME, small_vgg

pytestmark = pytest.mark.long


def test_it_is_exported_in_every_format_and_precision(tmp_path: Path, sizes_alone: Path) -> None:
    run = offer(small_vgg(), "tests.networks.small_vgg", tmp_path)
    run("export", "--checkpoint", f"{NAME}.safetensors", "--budgets", sizes_alone)
    parity = json.loads((tmp_path / "artifacts" / NAME / "parity.json").read_text())
    assert len(parity["artifacts"]) == len(Format) * len(Precision) and parity["images"] == 13
    for row in parity["artifacts"]:
        assert not row["problems"] and not any(output["problems"] for output in row["outputs"]), row["path"]

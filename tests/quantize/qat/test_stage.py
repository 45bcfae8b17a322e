"""What fine-tuning refuses before it computes anything, and the command that it gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageqx_export.data.sources import Sources
from imageqx_export.errors import ArtifactError
from imageqx_export.quantize.qat.loop import QatConfig
from imageqx_export.quantize.qat.stage import Request, fine_tune
from imageqx_export.support.shipped import find_shipped


@pytest.mark.parametrize("recipe", ["imageqx.w8a8.json", "imageqx.w8.json", "none.json"])
def test_no_recipe_that_is_used_is_advised_to_be_replaced(recipe: str, tmp_path: Path) -> None:
    duke, theirs = find_shipped("duke-iqa.safetensors"), find_shipped(recipe)
    request = Request(duke, tmp_path / "r.json", theirs, Sources(), QatConfig(checkpoint_sha256="", recipe_sha256=""))
    with pytest.raises(ArtifactError) as caught:
        fine_tune(request)
    own = Path("build/duke-iqa.w8a8.json")  # no file that anything else is made of
    assert caught.value.remedy == f"imageqx quantize --checkpoint {duke} --out {own}, then --recipe {own}"
    assert not list(tmp_path.iterdir())

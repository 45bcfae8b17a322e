"""The commands of the Makefile that make the shipped weights."""

from __future__ import annotations

import re
from pathlib import Path

MAKEFILE = Path(__file__).parents[1] / "Makefile"


def test_no_stage_of_the_training_replaces_what_another_goes_on_from() -> None:
    recipe = MAKEFILE.read_text(encoding="utf-8").split("\ntrain: ")[1].split("\n\n")[0].replace("\\\n", " ")
    stages = [line for line in recipe.splitlines() if "imageqx train" in line]
    outs = [(re.findall(r"--out (\S+)", line) or ["models/imageqx.safetensors"])[0] for line in stages]
    inits = [re.findall(r"--init \"?([^\s\"]+)", line)[0].replace(".seed{seed}", "") for line in stages]

    assert len(stages) == 4
    assert len(set(outs)) == len(outs)
    assert inits[1:] == outs[:-1]

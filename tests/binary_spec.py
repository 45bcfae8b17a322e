"""A spec of the second kind that is no network's: an oblong photo, three raters, two regions."""

from __future__ import annotations

from imageqx_export.artifact import BinaryDecision, ModelSpec, Preprocessing, Ranks, Region, Regions, TensorSpec


def binary_spec() -> ModelSpec:
    """Return the spec."""
    size = Preprocessing(height=40, width=64)
    parts = (
        Region(name="left", left=0, top=0, width=0.5, height=1, hint="Look at the left"),
        Region(name="right", left=0.5, top=0, width=0.5, height=1, hint="Look at the right"),
    )
    return ModelSpec(
        name="binary",
        inputs=(TensorSpec(name="image", shape=(1, 40, 64, 3), dtype="uint8"),),
        outputs=(
            TensorSpec(name="good", shape=(1, 1), dtype="float32"),
            TensorSpec(name="ranks", shape=(1, 3), dtype="float32"),
            TensorSpec(name="regions", shape=(1, 2), dtype="float32"),
        ),
        preprocessing=size,
        binary=BinaryDecision(
            output="good",
            threshold=0.6,
            hint="Take it again",
            ranks=Ranks(output="ranks", raters=3, good_when_at_least=2),
            regions=Regions(output="regions", threshold=0.5, parts=parts),
        ),
    )

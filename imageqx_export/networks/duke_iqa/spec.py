"""What Duke IQA's inputs and outputs mean. Imports no network library: predicting with an artifact needs none."""

from __future__ import annotations

from imageqx_export.artifact import BinaryDecision, ModelSpec, Preprocessing, Ranks, Region, Regions, TensorSpec

RATERS = 4
GOOD_WHEN_AT_LEAST = 2
"""How many of the raters must call a photo good. The paper's text says "more than half", which is 3 of 4; its printed
PPV, NPV and prevalences follow from 2 of 4 alone, so that is the usual setting."""
REGION_SIDE = 224
"""Pixels a side of a region: what both backbones are trained for, as in the paper."""
REGION_SHARE = 0.5
"""The share of the frame's sides that a region has, from 224 / 1024 to 1. With a half, the four corners cover the frame
once, so that nothing is assessed twice but what lies in the centre, which is where a spot should be."""
NAMES = ("top_left", "top_right", "bottom_left", "bottom_right", "centre")
HINTS = {
    "top_left": "Look at the upper left corner: make it sharp, evenly lit and part of the skin",
    "top_right": "Look at the upper right corner: make it sharp, evenly lit and part of the skin",
    "bottom_left": "Look at the lower left corner: make it sharp, evenly lit and part of the skin",
    "bottom_right": "Look at the lower right corner: make it sharp, evenly lit and part of the skin",
    "centre": "Move the spot to the middle of the picture, hold the phone still and tap to focus",
}
HINT = "Take the photo again: hold the phone still, in even daylight, close enough that the spot fills a third of it"


def find_side(share: float = REGION_SHARE) -> int:
    """Return the photo's pixels a side of which a region of that share has :data:`REGION_SIDE`.

    So one stretch makes the photo as large as its regions need, and the graph cuts them out without another.

    >>> find_side(0.5), find_side(2 / 3)
    (448, 336)

    Raises:
        ValueError: The share is not one.
    """
    if not REGION_SIDE / 1024 <= share <= 1:
        raise ValueError(f"a region's share of the frame must lie in [{REGION_SIDE / 1024:.3f}, 1], got {share}")
    return round(REGION_SIDE / share)


def list_corners(side: int, region: int) -> tuple[tuple[int, int], ...]:
    """Return the (top, left) pixels of the five regions, in the order of :data:`NAMES`.

    >>> list_corners(448, 224)
    ((0, 0), (0, 224), (224, 0), (224, 224), (112, 112))
    """
    far, middle = side - region, (side - region) // 2
    return (0, 0), (0, far), (far, 0), (far, far), (middle, middle)


def spec(
    name: str = "duke-iqa",
    share: float = REGION_SHARE,
    good_when_at_least: float = GOOD_WHEN_AT_LEAST,
    **_others: str | float,
) -> ModelSpec:
    """Return Duke IQA's ModelSpec with thresholds of 0.5.

    Args:
        name: The model's.
        share: A region's share of the frame's sides.
        good_when_at_least: How many of the four raters make a photo good: a whole number from 1 to 4.
        **_others: The network's other options, which do not show in what it answers.

    >>> [output.name for output in spec().outputs]
    ['good', 'ranks', 'regions']
    """
    side = find_side(share)
    part = REGION_SIDE / side
    parts = tuple(
        Region(name=name, left=left / side, top=top / side, width=part, height=part, hint=HINTS[name])
        for name, (top, left) in zip(NAMES, list_corners(side, REGION_SIDE), strict=True)
    )
    return ModelSpec(
        name=name,
        inputs=(TensorSpec(name="image", shape=(1, side, side, 3), dtype="uint8", meaning="sRGB, 0…255"),),
        outputs=(
            TensorSpec(name="good", shape=(1, 1), dtype="float32", meaning="probability that the photo is good"),
            TensorSpec(
                name="ranks",
                shape=(1, RATERS),
                dtype="float32",
                meaning="in column k the probability that more than k raters call it good; it never rises",
            ),
            TensorSpec(
                name="regions",
                shape=(1, len(NAMES)),
                dtype="float32",
                meaning="probability that a photo of this region alone would be good",
            ),
        ),
        preprocessing=Preprocessing(height=side, width=side),
        binary=BinaryDecision(
            output="good",
            threshold=0.5,
            hint=HINT,
            ranks=Ranks(output="ranks", raters=RATERS, good_when_at_least=int(good_when_at_least)),
            regions=Regions(output="regions", threshold=0.5, parts=parts),
        ),
    )

"""What ImageQX's inputs and outputs mean. Imports no network library: predicting with an artifact needs none."""

from __future__ import annotations

from imageqx_export.artifact import ModelSpec, Preprocessing, TensorSpec

LABELS = ("lesion", "no_skin", "healthy_skin", "poor_quality")
REASONS = ("bad_framing", "bad_light", "blurry", "low_resolution", "too_far_away")
ATTENTION_SIZE = (7, 7)
"""Rows and columns of the attention maps: the last feature map's."""
HINTS = {
    "bad_framing": "Move the phone so that the whole spot is in the middle of the picture",
    "bad_light": "Go to a bright place with even daylight, and avoid shadows and coloured lamps",
    "blurry": "Hold the phone still and tap to focus",
    "low_resolution": "Use the phone's main camera at full size and do not zoom or send a screenshot",
    "too_far_away": "Move closer, until the spot fills about a third of the picture",
}


def spec(name: str = "imageqx") -> ModelSpec:
    """Return ImageQX's ModelSpec with thresholds of 0.5.

    >>> [output.name for output in spec().outputs]
    ['quality', 'explanations', 'attention']
    """
    pixels = Preprocessing()
    image = (1, pixels.height, pixels.width, 3)
    return ModelSpec(
        name=name,
        inputs=(TensorSpec(name="image", shape=image, dtype="uint8", meaning="sRGB, 0…255"),),
        outputs=(
            TensorSpec(name="quality", shape=(1, 4), dtype="float32", meaning="probability per label; the sum is 1"),
            TensorSpec(
                name="explanations", shape=(1, 5), dtype="float32", meaning="probability per reason, each on its own"
            ),
            TensorSpec(
                name="attention",
                shape=(1, 5, *ATTENTION_SIZE),
                dtype="float32",
                meaning="Grad-CAM map per reason, ≥ 0, not normalised; row 0 is the photo's top",
            ),
        ),
        labels=LABELS,
        reasons=REASONS,
        thresholds=dict.fromkeys(REASONS, 0.5),
        hints=HINTS,
    )

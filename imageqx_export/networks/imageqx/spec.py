"""What ImageQX's inputs and outputs mean. Imports no network library: predicting with an artifact needs none."""

from __future__ import annotations

import re

from imageqx_export.artifact import ModelSpec, Preprocessing, TensorSpec

LABELS = ("lesion", "no_skin", "healthy_skin", "poor_quality")
REASONS = ("bad_framing", "bad_light", "blurry", "low_resolution", "too_far_away")
HINTS = {
    "bad_framing": "Move the phone so that the whole spot is in the middle of the picture",
    "bad_light": "Go to a bright place with even daylight, and avoid shadows and coloured lamps",
    "blurry": "Hold the phone still and tap to focus",
    "low_resolution": "Use the phone's main camera at full size and do not zoom or send a screenshot",
    "too_far_away": "Move closer, until the spot fills about a third of the picture",
}


SIDE = 224
_STRIDE = 32  # pixels a side of a photo that one of the last feature map is of
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def spec(name: str = "imageqx", reasons: str = "", labels: str = "", side: float = SIDE) -> ModelSpec:
    """Return ImageQX's ModelSpec with thresholds of 0.5.

    Args:
        name: The model's.
        reasons: Another clinic's, with commas between them; ImageQX's five where it is empty.
        labels: Likewise; one is ``poor_quality``, and there is another.
        side: Pixels a side of the photo: a multiple of 32 from 64 to 1024.

    Raises:
        ValueError: There is no such network.

    >>> [output.name for output in spec().outputs]
    ['quality', 'explanations', 'attention']
    >>> [output.shape for output in spec(reasons="blurry,hair,too_dark", side=256).outputs]
    [(1, 4), (1, 3), (1, 3, 8, 8)]
    """
    causes, answers = _split("reasons", reasons, REASONS), _split("labels", labels, LABELS)
    if "poor_quality" not in answers or len(answers) < 2:
        raise ValueError(f"labels are poor_quality and others, got {labels[:80]}")
    size = _check_side(side)
    cells = size // _STRIDE
    return ModelSpec(
        name=name,
        inputs=(TensorSpec(name="image", shape=(1, size, size, 3), dtype="uint8", meaning="sRGB, 0…255"),),
        outputs=(
            TensorSpec(
                name="quality",
                shape=(1, len(answers)),
                dtype="float32",
                meaning="probability per label; the sum is 1",
            ),
            TensorSpec(
                name="explanations",
                shape=(1, len(causes)),
                dtype="float32",
                meaning="probability per reason, each on its own",
            ),
            TensorSpec(
                name="attention",
                shape=(1, len(causes), cells, cells),
                dtype="float32",
                meaning="Grad-CAM map per reason, ≥ 0, not normalised; row 0 is the photo's top",
            ),
        ),
        preprocessing=Preprocessing(height=size, width=size),
        labels=answers,
        reasons=causes,
        thresholds=dict.fromkeys(causes, 0.5),
        hints={cause: HINTS.get(cause, f"Take the photo again: {cause.replace('_', ' ')}") for cause in causes},
    )


def _check_side(side: object) -> int:
    if not isinstance(side, int | float) or side % _STRIDE or not 64 <= side <= 1024:
        raise ValueError(f"side is a multiple of {_STRIDE} from 64 to 1024, got {str(side)[:80]}")
    return int(side)


def _split(what: str, text: object, usual: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(text, str):  # a checkpoint's header may hold anything
        raise ValueError(f"{what} are names with commas between, got {str(text)[:80]}")
    names = tuple(part.strip() for part in text.split(",")) if text else usual
    if not all(_NAME.fullmatch(one) for one in names) or len(set(names)) != len(names):
        raise ValueError(f"{what} are different names of letters, digits and _, with commas between, got {text[:80]}")
    return names

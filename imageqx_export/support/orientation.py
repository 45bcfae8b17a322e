"""Which way up a photo is: what EXIF says, and what brings it upright."""

from __future__ import annotations

from typing import Final, NamedTuple

from PIL import ExifTags, Image


class Turn(NamedTuple):
    """What brings a photo upright.

    Args:
        method: Of turning or mirroring.
        edges: Which of its edges become the upright photo's left, upper, right and lower one: 0 is the left, 1 the
            upper, 2 the right, 3 the lower.
    """

    method: Image.Transpose
    edges: tuple[int, int, int, int]

    @property
    def swaps_sides(self) -> bool:
        """Whether rows become columns."""
        return self.edges[0] % 2 == 1


_TURNS: Final[dict[int, Turn]] = {
    2: Turn(Image.Transpose.FLIP_LEFT_RIGHT, (2, 1, 0, 3)),
    3: Turn(Image.Transpose.ROTATE_180, (2, 3, 0, 1)),
    4: Turn(Image.Transpose.FLIP_TOP_BOTTOM, (0, 3, 2, 1)),
    5: Turn(Image.Transpose.TRANSPOSE, (1, 0, 3, 2)),
    6: Turn(Image.Transpose.ROTATE_270, (3, 0, 1, 2)),
    7: Turn(Image.Transpose.TRANSVERSE, (3, 2, 1, 0)),
    8: Turn(Image.Transpose.ROTATE_90, (1, 2, 3, 0)),
}


def find_turn(image: Image.Image) -> Turn | None:
    """Return what brings a picture upright as its EXIF or XMP says; None where they say nothing, or nonsense."""
    try:
        return _TURNS.get(int(image.getexif().get(ExifTags.Base.Orientation, 1)))
    except Exception:  # damaged EXIF fails in as many ways as a damaged photo, and is no reason to refuse it
        return None

"""JPEGs that lack their end: give it to those that have every pixel, and say how much the others lack.

Panoramas of some phones and uploads cut by two bytes lack nothing but the marker "end of image" (ITU-T T.81, B.1.1.3).
Pillow refuses them like those of which half is missing.
"""

from __future__ import annotations

import io
import os
import random
import re
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from PIL import Image, ImageChops

from imageqx_export.support.colours import RefusedError

END = b"\xff\xd9"
_END_OF_IMAGE = END[1]
START_OF_SCAN = 0xDA
FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length: T.81, table B.1
# What ends a scan's data: a marker that is no restart. Fill bytes before it stay with the data, which searches faster.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_COEFFICIENTS = range(64)
_REMEDY = "send it again, whole"
_COMPARED = 40_000_000  # pixels; more are compared at half the size, or a quarter
# Bytes that stand for data which is not there: no marker is among them, and they decode to something.
_NOISE = bytes(random.Random(0).choices(range(255), k=65_536))


class Segment(NamedTuple):
    """A marker with what belongs to it.

    Args:
        marker: Its second byte.
        body: Behind the length; of a scan its header alone.
        start: Place of the marker in the file.
        end: Place behind the body.
        stop: Of a scan, place behind its data; else ``end``.
    """

    marker: int
    body: bytes
    start: int
    end: int
    stop: int


def is_terminated(file: IO[bytes]) -> bool:
    """Return whether a JPEG's picture ends with its marker; what follows that is not looked at.

    Args:
        file: Of a JPEG, at any place; where it is left is not defined.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - len(END)))
    if file.read() == END:
        return True
    file.seek(0)
    data = file.read()
    scan = next((segment.end for segment in list_segments(data) if segment.marker == START_OF_SCAN), None)
    # In a scan 0xff is followed by 0 or a restart marker, so the first such pair after its start is the end.
    return scan is None or END in data[scan:]


def terminate(data: bytes) -> bytes:
    """Return a JPEG with its end, if only that was missing.

    It is decoded twice, with nothing and with noise in the place of what is missing. If every pixel is there, nothing
    is read of either, and both pictures are equal. A progressive one must also have all its scans.

    Args:
        data: The whole file.

    Raises:
        RefusedError: Pixels are missing; it says how many rows.
        OSError: It cannot be decoded.
    """
    whole = data.rstrip(b"\xff")  # half of a pair, with which the filling would make a marker
    plain, noisy = (_decode(whole + filling + END) for filling in (b"", _NOISE))
    differing = ImageChops.difference(plain, noisy).getbbox()
    if differing is not None:
        share = max(1, round(100 * (plain.height - differing[1]) / plain.height))
        raise RefusedError("the photo is cut off", f"about {share} % of its rows are missing or unfinished", _REMEDY)
    if not has_every_scan(list_segments(whole)):
        raise RefusedError("the photo is cut off", "a progressive JPEG without its last scans", _REMEDY)
    return whole + END


def list_segments(data: bytes) -> Iterator[Segment]:
    """Yield the marker segments of a file's first picture, scans' headers among them, as far as they are whole."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # fill bytes may stand before a marker
            place += 1
            continue
        if marker == _END_OF_IMAGE:
            return
        end = place + 2 + (0 if marker in _BARE else int.from_bytes(data[place + 2 : place + 4], "big"))
        found = _MARKER.search(data, end) if marker == START_OF_SCAN else None
        stop = found.start() if found else len(data) if marker == START_OF_SCAN else end
        yield Segment(marker, data[place + 4 : end], place, end, stop)
        place = stop


def has_every_scan(segments: Iterable[Segment]) -> bool:
    """Return whether each component's coefficients were sent to their last bit: T.81, B.2.3 and G.1.1.1."""
    left: dict[int, set[int]] = {}
    for segment in segments:
        if segment.marker in FRAMES and len(segment.body) > 5:
            left = {segment.body[6 + 3 * k]: set(_COEFFICIENTS) for k in range(segment.body[5])}
        elif segment.marker == START_OF_SCAN and segment.body:
            count = segment.body[0]
            first, last, bits = segment.body[1 + 2 * count : 4 + 2 * count]
            if not bits & 15:  # nothing is left for a later scan
                for component in segment.body[1 : 1 + 2 * count : 2]:
                    left[component] -= set(range(first, last + 1))
    return not any(left.values())


def _decode(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    width, height = image.size
    scale = next((scale for scale in (1, 2, 4) if width * height <= _COMPARED * scale * scale), 8)
    image.draft(None, (width // scale, height // scale))
    image.load()
    return image if image.mode in ("L", "RGB") else image.convert("RGB")

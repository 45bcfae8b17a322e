"""What of a progressive JPEG a decode at 1/8 needs: the means of its blocks.

Of 2.9 MB of a photo of 12 megapixels, nine tenths tell what its blocks look like inside. At 1/8 libjpeg reads all of
it, keeps every number of it in memory, and ignores it: of a block it takes the mean. Here those scans are left out.
"""

from __future__ import annotations

from imageqx_export.support.jpegs import END, FRAMES, START_OF_SCAN, Segment, has_every_scan, list_segments

_PROGRESSIVE, _TABLE, _RESTARTS = 0xC2, 0xC4, 0xDD
_CODES = 15
"""For runs of 1, 2, 4 … 16,384 empty blocks, and more than that by as many bits: T.81, table G.1."""


def keep_means(data: bytes) -> bytes | None:
    """Return a progressive JPEG without what a decode at 1/8 ignores; its pixels are the same there.

    That is each scan about the inside of the blocks of a component that has a sample a pixel. Colours with fewer
    samples keep theirs: libjpeg takes several numbers of each of their blocks. In place of the scans comes one that
    calls all blocks empty (T.81, G.1.2.2), as libjpeg smooths a picture whose scans are not all there.

    Args:
        data: The whole file.

    Returns:
        The shorter file; None of a JPEG that is not progressive, lacks a scan itself, or is damaged between its scans:
        what libjpeg refuses is refused.
    """
    segments = list(list_segments(data))
    frame = next((one.body for one in segments if one.marker in FRAMES), b"")
    try:
        if not any(one.marker == _PROGRESSIVE for one in segments) or not has_every_scan(segments):
            return None
        blocks = _count_blocks(frame)
        kept = [data[one.start : one.stop] for one in segments if not _tells_insides(one, blocks)]
    except (IndexError, KeyError, ValueError):  # damaged: libjpeg says how, or makes the best of it
        return None
    return b"".join((data[:2], *kept, *(_call_empty(*one) for one in blocks.items()), END))


def _tells_insides(segment: Segment, blocks: dict[int, int]) -> bool:
    """Return whether a segment is a scan of one of these components, about more than its blocks' means.

    Raises:
        ValueError: It is one that libjpeg refuses: T.81, B.2.3 and G.1.1.1.
    """
    if segment.marker != START_OF_SCAN or segment.body[1] not in blocks or segment.body[-3] == 0:
        return False
    count, _, tables, first, last, bits = segment.body
    high, low = divmod(bits, 16)
    if count != 1 or tables % 16 > 3 or not first <= last < 64 or low > 13 or high not in (0, low + 1):
        raise ValueError("no scan of a progressive JPEG")
    return True


def _count_blocks(frame: bytes) -> dict[int, int]:
    """Return the blocks of each component that has a sample a pixel: T.81, A.1.1 and A.2.2."""
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    sampling = {frame[6 + 3 * k]: divmod(frame[7 + 3 * k], 16) for k in range(frame[5])}
    if len(sampling) != frame[5]:
        raise ValueError("two components have one name")
    most = tuple(max(pair[axis] for pair in sampling.values()) for axis in (0, 1))
    return {name: -(-width // 8) * -(-height // 8) for name, pair in sampling.items() if pair == most}


def _call_empty(component: int, blocks: int) -> bytes:
    """Return a scan that calls so many blocks empty, with the table of its codes: T.81, G.1.2.2.

    A code is n in four bits, and stands for 2ⁿ blocks and as many more as the n bits behind it say.
    """
    table = bytes((0x10, 0, 0, 0, _CODES, *bytes(12), *(n << 4 for n in range(_CODES))))
    bits = ""
    while blocks:
        n = min(_CODES, blocks.bit_length()) - 1
        run = min(blocks, 2 ** (n + 1) - 1)
        bits += f"{n:04b}" + f"{run:b}"[1:]
        blocks -= run
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    header = bytes((1, component, 0, 1, 63, 0))
    no_restarts = _write(_RESTARTS, bytes(2))
    return no_restarts + _write(_TABLE, table) + _write(START_OF_SCAN, header) + data


def _write(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body

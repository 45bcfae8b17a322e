"""Draw a bank of scenes; framing and distance are drawn in, what a lens and a file do comes later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from typing import NamedTuple

import numpy as np

from imageqx_export.data.bank import SIDE, SYNTHETIC, Bank, make_bank
from imageqx_export.data.skin import Placement, draw_hair
from imageqx_export.data.synthetic import MILD, STRONG, Image, SceneClass, draw_masked_scene, draw_plain_object
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.support.processes import count_cores, start_process_pool
from imageqx_export.support.progress import Progress, silent

# Per seventeen scenes: class, cut off, too far away. As often as plans ask for them.
_COUNTS: dict[tuple[SceneClass, bool, bool], int] = {
    ("lesion", False, False): 4,
    ("lesion", True, False): 2,
    ("lesion", False, True): 1,
    ("healthy_skin", False, False): 4,
    ("healthy_skin", False, True): 2,
    ("no_skin", False, False): 4,
}
_KINDS = tuple(kind for kind, count in _COUNTS.items() for _ in range(count))
SCENE_KINDS = len(_KINDS)
_CHUNK = 34
_VARIED = 7  # what random numbers are for: the last part of their key
_VARIED_SHARE = 0.35


def render_scenes(seed: int, count: int, *, side: int = SIDE, varied: bool = True, progress: Progress = silent) -> Bank:
    """Draw ``count`` scenes in all classes and skin tones, in a process per core.

    Args:
        seed: Scene i of a seed is always the same picture, at one size.
        count: At least 17, so that there is one of each kind.
        side: Pixels a side.
        varied: Whether a third of the good scenes are small lesions on limbs, limbs at half of the frame, hairy skin
            and objects on plain bright grounds. Without, they are those of the first release.
        progress: Opens a bar.
    """
    if count < SCENE_KINDS:
        raise ValueError(f"expected at least {SCENE_KINDS} scenes, got {count}")
    starts = range(0, count, _CHUNK)
    jobs = [(seed, start, min(start + _CHUNK, count), side, varied) for start in starts]
    with progress("drawing scenes", len(jobs)) as advance:
        scenes = list(chain.from_iterable(_render_parts(jobs, advance)))
    reasons = np.zeros((count, len(REASONS)), np.float32)
    reasons[:, REASONS.index("bad_framing")] = [_kind(i)[1] for i in range(count)]
    reasons[:, REASONS.index("too_far_away")] = [_kind(i)[2] for i in range(count)]
    labels = np.array([LABELS.index(_kind(i)[0]) for i in range(count)], np.int64)
    severity = np.zeros_like(reasons)
    severity[:, REASONS.index("bad_framing")] = [scene.off_frame for scene in scenes]
    severity[:, REASONS.index("too_far_away")] = [scene.distance for scene in scenes]
    skin = labels != LABELS.index("no_skin")
    tones = np.where(skin, [scene.tone + 1 for scene in scenes], 0).astype(np.int64)
    pictures = np.stack([scene.image for scene in scenes])
    masks = [scene.mask for scene in scenes]
    return make_bank(pictures, labels, SYNTHETIC, reasons, tones, masks, severity=severity * skin[:, None])


class _Scene(NamedTuple):
    image: Image
    mask: Image | None
    tone: int
    off_frame: float
    distance: float


_Job = tuple[int, int, int, int, bool]  # seed, first and last scene, pixels a side, varied


def _render_parts(jobs: list[_Job], advance: Callable[[], None]) -> Iterator[list[_Scene]]:
    cores = count_cores()
    with ExitStack() as stack:
        parts: Iterator[list[_Scene]] = map(_render_chunk, jobs)
        if len(jobs) >= 4 and cores > 1:  # starting processes takes longer than a few scenes
            parts = stack.enter_context(start_process_pool(min(cores, len(jobs)))).map(_render_chunk, jobs)
        for part in parts:
            advance()
            yield part


def _render_chunk(job: _Job) -> list[_Scene]:
    seed, start, stop, side, varied = job
    scenes = []
    for index in range(start, stop):
        more = np.random.default_rng((seed, index, _VARIED)) if varied else None
        scenes.append(_render_scene(np.random.default_rng((seed, index)), index, side, more))
    return scenes


def _kind(index: int) -> tuple[SceneClass, bool, bool]:
    # A step that shares no factor with the number of kinds, so that any few scenes are of several kinds.
    return _KINDS[index * 5 % len(_KINDS)]


def _render_scene(rng: np.random.Generator, index: int, side: int, more: np.random.Generator | None) -> _Scene:
    label, cut_off, far = _kind(index)
    off_frame = rng.uniform(STRONG, 1) if cut_off else rng.random() ** 2 * MILD
    distance = rng.uniform(STRONG, 1) if far else rng.random() ** 2 * MILD
    where = choose_placement(rng, off_frame, distance)
    if label == "healthy_skin":  # a limb fills more of the frame than a lesion does
        where = where._replace(scale=where.scale * (1.2 if far else 3.0))
    tone = int(rng.integers(6))
    if more is not None and not cut_off and not far and more.random() < _VARIED_SHARE:
        return _vary_scene(more, label, side, tone)
    image, mask = draw_masked_scene(rng, label, where, side, tone)
    return _Scene(image, mask, tone, float(off_frame), float(distance))


def _vary_scene(rng: np.random.Generator, label: SceneClass, side: int, tone: int) -> _Scene:
    """Draw a good scene that is easily taken for another class, or for one that is too far away."""
    if label == "no_skin":
        return _Scene(draw_plain_object(rng, side), None, tone, 0.0, 0.0)
    x, y = (0.5 + rng.uniform(-0.12, 0.12, 2)).tolist()
    if label == "lesion":
        where = Placement(x, y, float(rng.uniform(0.14, 0.22)))
        image, mask = draw_masked_scene(rng, label, where, side, tone, limb=float(rng.uniform(0.4, 0.65)))
        return _Scene(image, mask, tone, 0.0, MILD)
    where = Placement(x, y, float(rng.choice([rng.uniform(0.4, 0.65), 2.0])))
    image, _ = draw_masked_scene(rng, label, where, side, tone)
    if where.scale > 1:
        image = np.asarray(draw_hair(rng, draw_hair(rng, image.astype(np.float32))), np.uint8)
    return _Scene(image, None, tone, 0.0, 0.0)


def choose_placement(rng: np.random.Generator, off_frame: float, distance: float) -> Placement:
    """Choose where the subject lies.

    Args:
        rng: The only source of randomness.
        off_frame: Severity of bad framing: 0 is centred, 1 puts the centre well outside the frame.
        distance: Severity of distance: 0 fills 45 % of the frame, 1 fills 2.5 %.
    """
    scale = float(0.45 * (0.025 / 0.45) ** distance)
    angle = rng.uniform(0, 2 * np.pi)
    direction = np.array([np.cos(angle), np.sin(angle)])
    direction /= np.abs(direction).max()
    # At STRONG the subject's centre is on the frame's edge; at MILD it is whole and inside.
    inside = max(0.5 - 0.6 * scale, 0.05)
    share = np.interp(off_frame, [0, MILD, STRONG, 1], [0, inside * 0.75, 0.5, 0.5 + 0.3 * scale])
    return Placement(float(0.5 + share * direction[0]), float(0.5 + share * direction[1]), scale)

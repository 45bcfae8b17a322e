"""Assess many photos on all cores, one row each: what cannot be read stops none of the others."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec
from imageqx_export.errors import PhotoError
from imageqx_export.predict.addresses import read_address, show_place
from imageqx_export.predict.verdict import Verdict, predict_pixels
from imageqx_export.preprocess import load_pixels, read_header
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.photo_files import PIXEL_LIMIT
from imageqx_export.support.processes import count_cores, start_pool
from imageqx_export.support.progress import Progress, silent

PIXELS_AT_ONCE: Final = PIXEL_LIMIT
"""Most pixels of photos that are decoded at the same time, of all threads together, however many cores there are: what
one photo of the largest size may take. A file counts in full, though most JPEGs are decoded smaller."""

PHOTOS_A_THREAD: Final = 4
"""Fewest photos for which another thread, and the model opened once more for it, pays."""

_AHEAD = 4  # photos a thread that are assessed before the row that is waited for


@dataclass(frozen=True)
class Assessment:
    """What became of one photo.

    Args:
        photo: The file, or its address.
        result: What the model says of it, or why it cannot be read.
        attention: The attention maps, float32 [R,7,7] in the order of the spec's reasons; None without a verdict.
        pictures: How many pictures the file holds; the first was assessed.
    """

    photo: Path | str
    result: Verdict | PhotoError
    attention: NDArray[np.float32] | None = None
    pictures: int = 1


def assess_photos(
    photos: Sequence[Path | str],
    runtime: Runtime,
    spec: ModelSpec | None = None,
    *,
    open_another: Callable[[], Runtime],
    progress: Progress = silent,
) -> Iterator[Assessment]:
    """Assess photos in threads, and yield what became of each in their order, as soon as it is known.

    Each thread decodes a photo and runs the model on it alone, so that of a photo the same is said whatever others are
    beside it; ``python -m benchmarks.bench_predict --batches`` times what batches would bring.

    Args:
        photos: Files of any kind that :mod:`imageqx_export.preprocess` reads, or addresses of such as text.
        runtime: The model. Photos are assessed on one thread alone where there are few.
        spec: The model's own with other thresholds, or None for its own.
        open_another: Opens the model again, for another thread: not every runtime can be shared.
        progress: Opens a bar over the photos.

    Raises:
        ArtifactError: The model cannot be run, or gives NaN; the rows before that have been yielded.
    """
    count = max(1, min(count_cores(), len(photos) // PHOTOS_A_THREAD))
    runtimes, gate = _Runtimes(runtime, open_another), _Gate(PIXELS_AT_ONCE)

    @contextmanager
    def take(amount: int) -> Iterator[Runtime]:
        with gate.hold(amount), runtimes.take() as own:
            yield own

    assess = partial(assess_photo, take=take, spec=spec or runtime.spec)
    with progress("assessing photos", len(photos)) as advance, start_pool(count) as threads:
        waiting: deque[Future[Assessment]] = deque()
        for index, photo in enumerate(photos):
            waiting.append(threads.submit(assess, photo))
            while waiting and (len(waiting) > _AHEAD * count or index == len(photos) - 1):
                row = waiting.popleft().result()
                advance()
                yield row


def assess_photo(
    photo: Path | str,
    take: Callable[[int], AbstractContextManager[Runtime]],
    spec: ModelSpec,
    path: Path | None = None,
) -> Assessment:
    """Assess one photo.

    Args:
        photo: A file, or an address as text.
        take: Gives the model for a photo of that many pixels, when it may be decoded.
        spec: What to decide with.
        path: Where the file is, if ``photo`` only names it, as for another working folder; None for ``photo``.

    Raises:
        ArtifactError: The model cannot be run, or gives NaN.
    """
    try:
        source = read_address(photo) if isinstance(photo, str) else path or photo
        header = read_header(source, name=show_place(photo))
        with take(header.width * header.height) as runtime:
            pixels = load_pixels(source, spec.preprocessing, name=show_place(photo))
            ((verdict, maps),) = predict_pixels([photo], pixels[None], runtime, spec)
    except PhotoError as error:
        return Assessment(photo, error)
    return Assessment(photo, verdict, maps, header.pictures)


class _Runtimes:
    """A model, opened as often as threads run it at the same time."""

    def __init__(self, first: Runtime, open_another: Callable[[], Runtime]) -> None:
        self._free = [first]
        self._open = open_another

    @contextmanager
    def take(self) -> Iterator[Runtime]:
        try:
            runtime = self._free.pop()
        except IndexError:
            runtime = self._open()
        try:
            yield runtime
        finally:
            self._free.append(runtime)


class _Gate:
    """Lets threads in while what they hold is at most ``most`` together, or one of them holds more alone."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, amount: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._held == 0 or self._held + amount <= self._most)
            self._held += amount
        try:
            yield
        finally:
            with self._changed:
                self._held -= amount
                self._changed.notify_all()

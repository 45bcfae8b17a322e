"""Many photos at once: every one has its row, in its place, and what is held stays within its bounds."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from imageqx_export.artifact import ModelSpec, Outputs, Pixels, TensorSpec
from imageqx_export.errors import ArtifactError, PhotoError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.predict import batch
from imageqx_export.predict.batch import Assessment, assess_photos
from imageqx_export.support.progress import bar
from tests.conftest import Cli


class Darkness:
    """Say how dark a photo is, and notice whether two threads run it at the same time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.spec: ModelSpec = spec()
        self.signature: tuple[TensorSpec, ...] = self.spec.outputs
        self._seconds, self._busy = seconds, threading.Lock()
        self.runs = 0

    def run(self, pixels: Pixels) -> Outputs:
        assert self._busy.acquire(blocking=False), "two threads share one runtime"
        time.sleep(self._seconds)
        self.runs += len(pixels)
        bright = pixels.reshape(len(pixels), -1).mean(1).astype(np.float32) / 255
        quality = np.stack([bright, 0 * bright, 0 * bright, 1 - bright], 1)
        self._busy.release()
        maps = np.zeros((len(pixels), 5, 7, 7), np.float32) + bright[:, None, None, None]
        return {"quality": quality, "explanations": np.zeros((len(pixels), 5), np.float32), "attention": maps}


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Eleven of rising brightness, of which the fourth is empty and the eighth is missing."""
    paths = [tmp_path / f"{index:02}.png" for index in range(11)]
    for index, path in enumerate(paths):
        Image.new("RGB", (40, 30), (index * 25,) * 3).save(path)
    paths[3].write_bytes(b"")
    paths[7].unlink()
    return paths


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_every_photo_has_its_row_in_its_place(photos: list[Path], cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "count_cores", lambda: cores)
    opened: list[Darkness] = []

    def open_another() -> Darkness:
        opened.append(Darkness(0.01))
        return opened[-1]

    first = Darkness(0.01)
    rows = list(assess_photos(photos, first, open_another=open_another))
    assert [row.photo for row in rows] == photos
    for index, row in enumerate(rows):
        if index in (3, 7):
            assert isinstance(row.result, PhotoError) and row.result.where == str(photos[index])
            continue
        assert not isinstance(row.result, PhotoError) and row.attention is not None
        assert row.result.probabilities["lesion"] == pytest.approx(index * 25 / 255)
        assert row.attention[0, 0, 0] == pytest.approx(index * 25 / 255)
    assert first.runs + sum(one.runs for one in opened) == 9
    assert len(opened) <= min(cores, len(photos) // batch.PHOTOS_A_THREAD) - 1


def test_rows_come_before_all_photos_are_judged(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "count_cores", lambda: 1)
    model = Darkness()
    rows = assess_photos(photos * 20, model, open_another=Darkness)
    assert next(rows).photo == photos[0]
    time.sleep(0.2)
    assert model.runs <= 1 + batch._AHEAD + 1  # no further ahead of the reader than that
    rows.close()  # type: ignore[attr-defined]


def test_a_model_that_cannot_be_run_stops_all(photos: list[Path]) -> None:
    class Broken(Darkness):
        def run(self, pixels: Pixels) -> Outputs:
            return {name: values * np.nan for name, values in super().run(pixels).items()}

    with pytest.raises(ArtifactError, match="not finite"):
        list(assess_photos(photos, Broken(), open_another=Broken))


def test_large_photos_wait_for_one_another() -> None:
    gate = batch._Gate(100)
    held, most = [0], [0]
    lock = threading.Lock()

    def work(amount: int) -> None:
        with gate.hold(amount):
            with lock:
                held[0] += amount
                most[0] = max(most[0], held[0])
            time.sleep(0.01)
            with lock:
                held[0] -= amount

    threads = [threading.Thread(target=work, args=(amount,)) for amount in [40, 60, 30, 90, 100] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 60 < most[0] <= 100
    with gate.hold(1000):  # more than there is: alone
        pass


def test_a_bar_waits_for_its_time() -> None:
    shown = []
    for after in (0.0, 60.0):
        text = io.StringIO()
        with bar("judging", 1, console=Console(file=text), after=after) as advance:
            advance()
        shown.append(text.getvalue())
    assert "judging" in shown[0] and "1/1" in shown[0]
    assert shown[1] == ""


# The command ----------------------------------------------------------------------------------------------------


def test_the_command_goes_on_and_says_at_the_end_what_it_could_not_read(
    photos: list[Path], cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").touch()
    result = cli("predict", photos[7], tmp_path, "--json")
    assert result.returncode == 1
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row.get("photo") for row in rows[:-1]] == [str(photos[7])] + [str(p) for p in photos if p != photos[7]]
    assert rows[0]["error"]["what"] == "there is no such photo"
    assert rows[4]["error"]["got"] == "0 bytes"
    assert all(row["label"] and row["pictures"] == 1 for row in rows[1:-1] if "error" not in row)
    assert rows[-1] == {"left_out": {"no photo's name: .txt": 1}}
    assert "passed over: 1 × no photo's name: .txt" in result.stderr
    assert "error: 2 of 11 photos could not be read" in result.stderr and "07.png" in result.stderr
    words = cli("predict", photos[1], photos[3])
    assert words.returncode == 1
    assert f"{photos[3]}  not assessed – the photo is empty (0 bytes)" in words.stdout
    assert f"{photos[1]}  " in words.stdout and "take it again" in words.stdout


def test_too_many_photos_for_one_picture(photos: list[Path], cli: Cli, tmp_path: Path) -> None:
    result = cli("predict", *[photos[0]] * 65, "--attention", tmp_path / "why.jpg")
    assert result.returncode == 1 and result.stdout == ""
    assert "at most 64 photos" in result.stderr and not (tmp_path / "why.jpg").exists()


def test_judged_is_a_value() -> None:
    with pytest.raises(AttributeError):
        Assessment(Path("a"), PhotoError("x")).pictures = 2  # type: ignore[misc]

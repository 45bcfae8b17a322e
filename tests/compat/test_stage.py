"""The compat stage with an accelerator that answers as the CPU does: what it is compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imageqx_export.artifact import Format, Pixels, Precision
from imageqx_export.bundle.proofs import read_proofs
from imageqx_export.compat import stage
from imageqx_export.compat.accelerator import Answer
from imageqx_export.compat.model import CompatReport, Control, Coverage
from imageqx_export.compat.proofs import record_proofs
from imageqx_export.errors import ParityError
from imageqx_export.runtimes import run_file


class Honest:
    """An accelerator that takes ONNX files whole, and is sometimes off by a constant."""

    CHIPS = ("a",)
    FORMATS = (Format.ONNX,)

    def __init__(self, off: float = 0.0) -> None:
        self.off = off

    def prepare(self, **_: object) -> None:
        """Need nothing."""

    def check_control(self, chip: str) -> Control:
        return Control(target="gpu", chip=chip, what="a wrong graph", found=True, got="wrong")

    def run(self, path: Path, chip: str, pixels: Pixels, *, steps: bool) -> Answer:
        outputs = {name: values + np.float32(self.off) for name, values in run_file(path, pixels)[1].items()}
        return Answer("t", Coverage(accelerated=3, total=3), outputs)


@pytest.fixture
def pixels(monkeypatch: pytest.MonkeyPatch) -> Pixels:
    """Give two pictures in the place of parity's 64."""
    made = np.random.default_rng(5).integers(0, 256, (2, 224, 224, 3), np.uint8)
    monkeypatch.setattr(stage, "generate_images", lambda spec: made)
    monkeypatch.setattr(stage, "parse_target", lambda text: (text, ("a",)))
    return made


def test_with_a_checkpoint_pytorch_is_asked_about_paritys_pictures(
    exported: Path, checkpoint: Path, pixels: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one accelerator that is right and one that is not; PyTorch is asked once."""
    accelerators = {"gpu": Honest(), "qualcomm": Honest(0.2)}
    monkeypatch.setattr(stage, "load_accelerator", accelerators.__getitem__)
    precisions = [Precision.FP32, Precision.W8]
    report = stage.check_compat(exported, list(accelerators), precisions=precisions, checkpoint=checkpoint)
    assert (report.images, report.source) == (2, "generated")
    assert [(row.verdict, row.reference) for row in report.results] == [
        *[("right", "pytorch")] * 2,
        *[("wrong", "pytorch")] * 2,
    ]
    # Each with its own scheme: w8's weights alone are 1e-2 from the float network's.
    assert max(output.max_abs for row in report.results[:2] for output in row.outputs) < 1e-4


def test_what_a_record_has_of_these_bytes_is_not_asked_again(
    exported: Path, pixels: Pixels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not even the control is run where nothing is to be asked; a row is in the record as soon as it is known."""
    record, asked = tmp_path / "a.proofs.json", []

    class Counting(Honest):
        def run(self, path: Path, chip: str, pixels: Pixels, *, steps: bool) -> Answer:
            asked.append(path.name)
            if len(asked) == 2:
                raise KeyboardInterrupt
            return super().run(path, chip, pixels, steps=steps)

    monkeypatch.setattr(stage, "load_accelerator", lambda name: Counting())

    def check(precisions: list[Precision], steps: bool = False) -> CompatReport:
        return stage.check_compat(
            exported,
            ["gpu"],
            precisions=precisions,
            recorded=read_proofs(record) if record.exists() else None,
            keep=lambda report: record_proofs(record, report),
            steps=steps,
        )

    both = [Precision.FP32, Precision.FP16]
    with pytest.raises(KeyboardInterrupt):
        check(both)
    assert [*read_proofs(record).names.values()] == asked[:1], "the first row was kept"
    report = check(both)
    assert asked[2:] == [row.artifact for row in report.results] and len(report.results) == 1
    (known,) = report.recorded
    assert known.artifact == asked[0] and known.proof.verdict == "right" and report.passed
    before = len(asked)
    report = check(both)
    assert len(asked) == before and len(report.recorded) == 2 and report.controls == () and report.passed
    assert len(check(both, steps=True).results) == 2, "single operators are in no record"


def test_another_checkpoint_is_refused_before_anything_is_asked(
    exported: Path, pixels: Pixels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stage, "load_accelerator", lambda name: Honest())
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"no checkpoint")
    with pytest.raises(ParityError, match="another checkpoint"):
        stage.check_compat(exported, ["gpu"], checkpoint=other)

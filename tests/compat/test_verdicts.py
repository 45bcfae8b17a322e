"""Verdicts on accelerators' answers, what they prove, and how strangers' outputs are told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imageqx_export import networks
from imageqx_export.artifact import Format, Outputs, Precision, Proof
from imageqx_export.bundle.proofs import read_proofs, read_proofs_beside
from imageqx_export.cli.show.compat import figures
from imageqx_export.compat.accelerator import Answer, load_accelerator, parse_target
from imageqx_export.compat.gpu.target import read_coverage
from imageqx_export.compat.model import AcceleratorResult, CompatReport, Control, Coverage, Steps
from imageqx_export.compat.proofs import find_proof, prove, record_proofs
from imageqx_export.compat.stage import decide_verdict
from imageqx_export.compat.strangers import name_outputs
from imageqx_export.decisions import name_deciding_output
from imageqx_export.errors import ArtifactError, UnavailableError, UnknownNameError
from imageqx_export.parity.compare import ACCELERATOR_TOLERANCES, OutputParity, compare_outputs
from tests.binary_spec import binary_spec

SPEC = networks.spec("imageqx")
FOUND = Control(target="gpu", chip="a", what="a wrong graph", found=True, got="wrong")
NOT_FOUND = FOUND.model_copy(update={"found": False, "got": "right"})
WHOLE = Coverage(accelerated=3, total=3)


def outputs(shift: float = 0.0) -> Outputs:
    """Return four pictures' outputs, whose labels are certain, with every number moved."""
    quality = np.full((4, 4), 0.01, np.float32)
    quality[np.arange(4), np.arange(4) % 3] = 0.97
    rest = {o.name: np.full((4, *o.shape[1:]), 0.1, np.float32) for o in SPEC.outputs[1:]}
    return {name: values + np.float32(shift) for name, values in {"quality": quality, **rest}.items()}


def rows(shift: float, precision: Precision = Precision.W8A8) -> tuple[OutputParity, ...]:
    return compare_outputs(SPEC, outputs(), outputs(shift), ACCELERATOR_TOLERANCES[precision])


def test_an_answer_within_the_tolerance_is_right_and_one_beyond_it_is_wrong() -> None:
    answer = Answer("t", WHOLE, outputs())
    assert decide_verdict(answer, rows(0.09), FOUND, Precision.W8A8) == ("right", ())
    verdict, problems = decide_verdict(answer, rows(0.2), FOUND, Precision.W8A8)
    assert verdict == "wrong" and len(problems) == 3
    assert decide_verdict(answer, rows(0.09, Precision.FP16), FOUND, Precision.W8A8)[0] == "wrong", (
        "floats may be less far off"
    )


def test_the_faulty_casts_answer_is_far_beyond_every_tolerance() -> None:
    quality = outputs()["quality"][::-1].copy()
    wrong = compare_outputs(SPEC, outputs(), {**outputs(), "quality": quality}, ACCELERATOR_TOLERANCES[Precision.W8A8])
    verdict, problems = decide_verdict(Answer("t", WHOLE, outputs()), wrong, FOUND, Precision.W8A8)
    assert verdict == "wrong" and any("decisions differ" in problem for problem in problems)


@pytest.mark.parametrize("control", [None, NOT_FOUND])
def test_a_right_answer_without_a_control_that_fails_proves_nothing(control: Control | None) -> None:
    verdict, (problem,) = decide_verdict(Answer("t", WHOLE, outputs()), rows(0.0), control, Precision.W8A8)
    assert verdict == "unproved" and "not shown that the accelerator answered" in problem
    far = Answer("t", WHOLE, outputs()), rows(0.09), control
    assert decide_verdict(*far, Precision.W8A8)[0] == "right", "no CPU is so far off"
    assert decide_verdict(*far, None)[0] == "unproved"
    assert not CompatReport(images=4, controls=(), results=(result("unproved"),)).passed


def test_an_operator_that_is_two_steps_off_is_wrong_however_near_the_whole_is() -> None:
    steps = Steps(operators=8, values=1000, differing=9, worst=2)
    assert decide_verdict(Answer("t", WHOLE, outputs(), steps=steps), rows(0.0), FOUND, Precision.W8A8)[0] == "wrong"
    near = steps.model_copy(update={"worst": 1})
    assert decide_verdict(Answer("t", WHOLE, outputs(), steps=near), rows(0.0), FOUND, Precision.W8A8)[0] == "right"


@pytest.mark.parametrize(
    "answer",
    [
        Answer("t", None, None, "does not open"),
        Answer("t", Coverage(accelerated=5, total=7), None, "2 are refused"),
        Answer("t", Coverage(accelerated=0, total=7), outputs()),
    ],
)
def test_what_is_not_taken_is_refused_and_not_wrong(answer: Answer) -> None:
    assert decide_verdict(answer, rows(0.0) if answer.outputs else (), FOUND, Precision.W8A8)[0] == "refused"


def test_nothing_computed_is_an_estimate() -> None:
    assert decide_verdict(Answer("t", WHOLE), (), FOUND, Precision.W8A8)[0] == "estimated"


def result(verdict: str, chip: str = "a", sha256: str = "1" * 64, artifact: str = "x.onnx") -> AcceleratorResult:
    return AcceleratorResult.model_validate(
        {
            "artifact": artifact,
            "sha256": sha256,
            "format": Format.ONNX,
            "precision": Precision.FP32,
            "target": "gpu",
            "chip": chip,
            "tool": "t",
            "verdict": verdict,
            "coverage": WHOLE,
            "outputs": rows(0.01),
        }
    )


def report(*results: AcceleratorResult) -> CompatReport:
    return CompatReport(images=4, controls=(FOUND,), results=results)


def test_chips_with_the_same_answer_share_a_proof() -> None:
    ((proof, other),) = prove(report(result("right"), result("right", "b"), result("wrong", "c"))).values()
    assert (proof.chips, proof.verdict, proof.labels, proof.images) == (("a", "b"), "right", 4, 4)
    assert (other.chips, other.verdict, other.silicon) == (("c",), "wrong", False)
    assert proof.whole and proof.max_abs == pytest.approx(0.01)


def test_of_a_yes_or_no_the_labels_are_good_and_poor() -> None:
    spec = binary_spec()
    good = np.array([[0.1], [0.9], [0.59], [0.61]], np.float32)
    rest = {"ranks": np.full((4, 3), 0.5, np.float32), "regions": np.full((4, 2), 0.9, np.float32)}
    compared = compare_outputs(
        spec, {"good": good, **rest}, {"good": good + np.float32(0.02), **rest}, ACCELERATOR_TOLERANCES[Precision.FP16]
    )
    decided = name_deciding_output(spec)
    row = result("right").model_copy(update={"outputs": compared, "decided_by": decided})
    ((proof,),) = prove(report(row)).values()
    assert decided == "good" and compared[0].excused == 1 and proof.labels == 4
    assert figures(row)[1] == "4/4"
    assert figures(row.model_copy(update={"decided_by": "another"}))[1] == ""


def test_what_is_unavailable_or_unproved_proves_nothing() -> None:
    assert prove(report(result("unavailable"), result("unproved"))) == {}


def test_new_proofs_replace_those_of_the_same_file_and_of_its_older_bytes(tmp_path: Path) -> None:
    checkpoint = tmp_path / "imageqx.safetensors"
    path = tmp_path / "imageqx.proofs.json"
    assert read_proofs_beside(checkpoint) == {}
    record_proofs(path, report(result("wrong"), result("right", artifact="y.onnx", sha256="2" * 64)))
    record_proofs(path, report(result("right")))
    record_proofs(path, report(result("right", artifact="y.onnx", sha256="3" * 64)))
    found = read_proofs_beside(checkpoint)
    assert {sha[0]: [proof.verdict for proof in proofs] for sha, proofs in found.items()} == {
        "1": ["right"],
        "3": ["right"],
    }
    assert isinstance(found["1" * 64][0], Proof)
    record_proofs(path, report(result("wrong", chip="b")))
    chips = {proof.chips: proof.verdict for proof in read_proofs(path).proofs["1" * 64]}
    assert chips == {("a",): "right", ("b",): "wrong"}, "what is said of other chips stays"
    path.write_text("{")
    with pytest.raises(ArtifactError, match="proofs cannot be read"):
        read_proofs(path)


def test_proofs_that_come_one_by_one_share_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "imageqx.proofs.json"
    for row in (result("right"), result("wrong", "c"), result("right", "b")):
        table = record_proofs(path, report(row))
    chips = {proof.verdict: proof.chips for proof in table.proofs["1" * 64]}
    assert chips == {"right": ("a", "b"), "wrong": ("c",)}
    found = find_proof(table, "1" * 64, "gpu", "b", 4)
    assert found is not None and found.verdict == "right"
    for other in (("2" * 64, "gpu", "b", 4), ("1" * 64, "qualcomm", "b", 4), ("1" * 64, "gpu", "d", 4)):
        assert find_proof(table, *other) is None
    assert find_proof(table, "1" * 64, "gpu", "b", 64) is None, "asked about fewer pictures"


def test_strangers_outputs_are_told_by_their_shapes() -> None:
    found = name_outputs(
        {
            "a": np.zeros((2, 5)),
            "b": np.ones((2, 4)),
            "c": np.arange(2 * 7 * 7 * 5, dtype=np.float32).reshape(2, 7, 7, 5),
        },
        SPEC,
    )
    assert {name: values.shape for name, values in found.items()} == {
        "quality": (2, 4),
        "explanations": (2, 5),
        "attention": (2, 5, 7, 7),
    }
    assert found["attention"][0, 1, 0, 0] == 1, "channels come first again"
    with pytest.raises(ArtifactError, match="told by its shape"):
        name_outputs({"a": np.zeros((2, 4)), "b": np.zeros((2, 4))}, SPEC)


def test_targets_and_chips_are_known_by_name() -> None:
    assert parse_target("qualcomm") == ("qualcomm", ("SM8650",))
    assert parse_target(" qualcomm:SM8550,SM8550, SM8850") == ("qualcomm", ("SM8550", "SM8850"))
    for text in ("exynos", "qualcomm:SM1", "gpu:adreno"):
        with pytest.raises(UnknownNameError):
            parse_target(text)


def test_qualcomms_licence_is_asked_for_before_anything_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("IMAGEQX_ACCEPT_QUALCOMM_LICENSE", raising=False)
    monkeypatch.setenv("IMAGEQX_COMPAT", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"Qualcomm AI Stack License[\s\S]*--accept-qualcomm-license"):
        load_accelerator("qualcomm").prepare(accept_license=False, progress=lambda *_: pytest.fail("something began"))
    assert list(tmp_path.iterdir()) == []


LITERT = """ERROR: Following operations are not supported by GPU delegate:
DEQUANTIZE: Max version supported: 3. Requested version 5.
257 operations will run on the GPU, and the remaining 56 operations will run on the CPU."""


def test_what_the_gpu_refuses_is_read_from_litert() -> None:
    found = read_coverage({"total": 313, "whole": False}, LITERT)
    (refusal,) = found.refused
    assert (found.accelerated, found.total, found.whole) == (257, 313, False)
    assert (refusal.operator, refusal.count) == ("DEQUANTIZE", 56) and "version 5" in refusal.reason
    assert read_coverage({"total": 9, "whole": True}, "").whole
    silent = read_coverage({"total": 9, "whole": False}, "nothing was said")
    assert (silent.accelerated, silent.refused[0].operator) == (0, "?"), "not whole, and not said why: nothing is shown"

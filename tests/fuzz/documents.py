"""The parsers of tables that people make, and of reports and records that commands write and others hand on."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import imageqx_export.compat.versions.budget as runtime_budget
from imageqx_export.artifact import Precision
from imageqx_export.bench.emulator import cache
from imageqx_export.bench.imported import read_shared_run
from imageqx_export.bench.ios import xcrun
from imageqx_export.bundle.manifest import SELF_TEST_FILE
from imageqx_export.bundle.proofs import read_proofs
from imageqx_export.bundle.runtimes import RuntimeRow, RuntimeTable, find_oldest, read_runtimes
from imageqx_export.data.folder import _read_manifest
from imageqx_export.data.readers import fitzpatrick17k, label_studio, pad_ufes_20, plain_folder, redcap, scin, vizwiz
from imageqx_export.evaluation.agreement import read_scores as read_f1
from imageqx_export.evaluation.binary.crops import read_boxes
from imageqx_export.evaluation.mos import read_scores
from imageqx_export.parity.self_test import read_self_test, write_self_test
from imageqx_export.report.robustness import list_cells, read_robustness
from imageqx_export.report.sensitivity import list_cells as list_sensitive
from imageqx_export.report.sensitivity import read_sensitivity
from imageqx_export.report.stage import _read_accuracy, _read_parity
from imageqx_export.support.untrusted import parse_json
from imageqx_export.training.card import _list_sources
from tests.bench.tiny import make_run
from tests.fuzz.parsers import Parser, from_file, from_folder

SHARE = {"poor": 0.5, "poor_ci": [0.25, 0.75], "first_hint_right": None, "first_hint_right_ci": None, "photos": 9}
ROBUSTNESS = {
    "model": "a.tflite",
    "photos": 9,
    "source": "generated",
    "clean": {"all": SHARE},
    "kinds": [{"name": "blur", "reason": "blurry", "mild": SHARE, "strong": SHARE}],
}
EVALUATION = {
    "model": "a.onnx",
    "quality_macro_f1": 0.5,
    "quality_macro_f1_ci": [0.25, 0.75],
    "photos": 9,
    "source": "generated",
    "quality": {"lesion": {"f1": 0.5, "f1_ci": [0.25, 0.75]}},
    "explanations": {"blurry": {"f1": 0.5, "f1_ci": None}},
}
LAYER = {"layer": "a:conv", "sqnr_db": 20.5, "mean_abs": 0.25, "quality": 1.5, "explanations": -0.5}
SENSITIVITY = {
    **{"recipe": "a.json", "precision": "w8a8", "checkpoint_sha256": "0", "accuracy": {"kind": "reasons"}},
    "analysis": {"float_layers": ["a:conv"], "photos": 9, "source": "generated", "holds": True, "layers": [LAYER]},
}
PHOTO = "a.jpg"
"""The one photo beside the tables, whose name they have."""


def list_document_parsers() -> dict[str, Callable[[], Parser]]:
    """Return what makes each parser, by name."""
    return {**_list_tables(), **_list_reports(), **_list_records()}


def write_csv(*rows: Mapping[str, Any], delimiter: str = ",") -> bytes:
    """Return a table with the first row's columns."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _list_tables() -> dict[str, Callable[[], Parser]]:
    scores = write_csv({"file": PHOTO, "score": "3.5"})
    boxes = write_csv({"image": PHOTO, "left": 0, "top": "0.5", "right": 9, "bottom": 9})
    group = write_csv(
        {"file": PHOTO, "group": "p1", "fitzpatrick": "3"}, {"file": "b.jpg", "group": "", "fitzpatrick": ""}
    )
    sources = write_csv({"file": PHOTO, "class": "lesion", "source": "a hospital", "licence": "CC0"})
    chosen = '{"choices": ["lesion", "L98.9"]}'
    several = {"image": "/data/upload/1/0123abcd-a.jpg", "annotator": 1, "quality": chosen}
    one = {"image": "b.jpg", "annotator": "two", "quality": "Poor quality"}
    return {
        "Label Studio in JSON": lambda: Parser(from_file("a.json", label_studio.read), _make_tasks()),
        "Label Studio in CSV": lambda: Parser(from_file("a.csv", label_studio.read), (write_csv(several, one),)),
        "REDCap": lambda: Parser(from_file("a.csv", redcap.read), _make_forms()),
        "VizWiz": lambda: Parser(_beside_photo("annotations/train.json", vizwiz.read), (_make_flaws(),)),
        "Fitzpatrick17k": lambda: _make_published("fitzpatrick17k.csv", fitzpatrick17k.read, _FITZPATRICK),
        "PAD-UFES-20": lambda: _make_published("metadata.csv", pad_ufes_20.read, _PAD),
        "photos in folders": lambda: Parser(_make_folders(), (write_csv({"file": f"lesion/{PHOTO}", "group": "p"}),)),
        "SCIN, grades": lambda: _make_scin(scin.LABELS),
        "SCIN, cases": lambda: _make_scin(scin.CASES),
        "people's scores": lambda: Parser(
            _beside_photo("a.csv", lambda root: read_scores(root / "a.csv", root)), (scores,)
        ),
        "table of boxes": lambda: Parser(from_file("a.csv", read_boxes), (boxes,)),
        "manifest of photos": lambda: Parser(from_folder("manifest.csv", _read_manifest), (group,)),
        "sources of photos": lambda: Parser(from_folder("manifest.csv", _list_sources), (sources,)),
    }


def _list_reports() -> dict[str, Callable[[], Parser]]:
    evaluation = json.dumps(EVALUATION).encode()
    output: dict[str, Any] = {"output": "quality", "max_abs": None, "mean_abs": 0.5, "cosine": 1.0, "sqnr_db": 60.0}
    output |= {"problems": [], "decisions": 1, "differing": 0, "excused": 0}
    row = {"path": "a.onnx", "precision": "fp32", "outputs": [output]}
    parity = {"checkpoint_sha256": "0", "images": 1, "source": "generated", "artifacts": [row]}
    return {
        "robustness.json": lambda: Parser(
            from_file("a.json", lambda path: [list_cells(table := read_robustness(path)), table]),
            (json.dumps(ROBUSTNESS).encode(),),
        ),
        "evaluation.json": lambda: Parser(from_file("a.json", _read_accuracy), (evaluation,)),
        "F1 of an evaluation": lambda: Parser(
            from_file("a.json", read_f1), (evaluation, json.dumps({"metrics": EVALUATION}).encode())
        ),
        "analysis of layers": lambda: Parser(
            from_file("a.json", lambda path: [list_sensitive(table := read_sensitivity(path)), table]),
            (json.dumps(SENSITIVITY).encode(),),
        ),
        # What could not be computed is infinite there, so numbers are not held to be finite.
        "parity.json": lambda: Parser(
            from_file("a.json", lambda path: repr(_read_parity(path))),
            (json.dumps({**parity, "artifacts": [row]}).encode(),),
        ),
    }


def _list_records() -> dict[str, Callable[[], Parser]]:
    shown = {"whole": True, "labels": 12, "images": 12, "max_abs": 0.5, "tool": "QNN", "silicon": False}
    proof = {"target": "qualcomm", "chips": ["SM8650"], "verdict": "right", **shown}
    proofs = {"schema_version": 1, "proofs": {"0": [proof]}, "names": {"0": "a.tflite"}}
    built = cache.Built(
        part="root", inputs={"a": 1}, files={"a.deb": "0"}, versions={"a": "1"}, seconds=1.5, size_bytes=9
    )
    return {
        "record of runtimes": lambda: Parser(
            from_file("a.json", lambda path: find_oldest((table := read_runtimes(path)).rows) or table),
            (_make_runtimes(),),
        ),
        "budget of runtimes": lambda: Parser(
            from_file("a.toml", runtime_budget.read_runtime_budget), (runtime_budget.SHIPPED.read_bytes(),)
        ),
        "proofs": lambda: Parser(from_file("a.json", read_proofs), (json.dumps(proofs).encode(),)),
        "self-test": lambda: Parser(
            from_folder("golden/self_test.json", read_self_test),
            (_make_self_test(),),
        ),
        "shared run": lambda: Parser(from_file("a.json", read_shared_run), (_make_shared(),)),
        "record of an emulator": lambda: Parser(_make_part_reader(), (built.model_dump_json().encode(),)),
        "devicectl's answer": lambda: Parser(_read_answer, (_make_answer(),)),
    }


def _make_part_reader() -> Callable[[bytes], object]:
    """Return what reads an input as the record of a part in an emulator's cache."""
    elsewhere = mock.patch.dict(os.environ, {cache.VARIABLE: tempfile.mkdtemp()})

    def read(data: bytes) -> object:
        with elsewhere:
            place = cache.name_folder("root", {"a": 1}) / cache.RECORD
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            return cache.read_part("root", {"a": 1})

    return read


def _beside_photo(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Return what writes an input into a folder that has the photo, and reads the folder."""
    root = Path(tempfile.mkdtemp())
    (root / PHOTO).write_bytes(b"a photo is found by its name")
    (root / name).parent.mkdir(exist_ok=True)

    def parse(data: bytes) -> object:
        (root / name).write_bytes(data)
        return read(root)

    return parse


def _make_folders() -> Callable[[bytes], object]:
    """Return what reads an input as the manifest beside a folder of the one photo."""
    root = Path(tempfile.mkdtemp())
    (root / "lesion").mkdir()
    (root / "lesion" / PHOTO).write_bytes(b"a photo is found by its name")

    def parse(data: bytes) -> object:
        (root / "manifest.csv").write_bytes(data)
        return plain_folder.read(root)

    return parse


def _make_published(name: str, read: Callable[[Path], object], row: Mapping[str, Any]) -> Parser:
    return Parser(_beside_photo(name, read), (write_csv(row),))


_FITZPATRICK = {**dict.fromkeys(fitzpatrick17k._COLUMNS, "x"), "md5hash": "a", "fitzpatrick_scale": "3"}
_PAD = {"patient_id": "p", "fitspatrick": "3.0", "diagnostic": "NEV", "img_id": PHOTO}


def _make_scin(changed: str) -> Parser:
    graded = dict.fromkeys(scin._GRADED, "DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT")
    types = dict.fromkeys(scin._TYPES, "FST3")
    case = {"case_id": "1", "fitzpatrick_skin_type": "FST3", **dict.fromkeys(scin._PATHS, ""), scin._PATHS[0]: PHOTO}
    tables = {scin.LABELS: write_csv({"case_id": "1", **graded, **types}), scin.CASES: write_csv(case)}
    root = Path(tempfile.mkdtemp())
    (root / PHOTO).write_bytes(b"a photo is found by its name")
    for name, content in tables.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    def parse(data: bytes) -> object:
        (root / changed).write_bytes(data)
        return scin.read(root)

    return Parser(parse, (tables[changed],))


def _make_tasks() -> tuple[bytes, bytes]:
    """Return JSON and JSON-MIN."""
    results = [{"value": {"choices": ["Poor quality"]}}, {"value": {"choices": ["blurry"], "text": []}}]
    data = {"image": "/data/local-files/?d=x/a.jpg", "patient": "p", "fitzpatrick": 3, "split": "train"}
    annotation = {"completed_by": {"email": "a@b.example"}, "result": results, "was_cancelled": False}
    task = {"id": 7, "data": data, "annotations": [annotation, {**annotation, "completed_by": 2}]}
    least = {"id": 8, "image": "b.jpg", "annotator": 1, "quality": "lesion", "code": ["L98.9"], "lead_time": 1.5}
    return json.dumps([task, task]).encode(), json.dumps([least]).encode()


def _make_forms() -> tuple[bytes, bytes]:
    row = {"record_id": 1, "image": "a.jpg", "rater": "one", "evaluation": "poor_quality", "icd10": "", "patient": "p"}
    boxes = {"fitzpatrick": "3", "reasons___blurry": "1", "reasons___bad_light": "0"}
    lesion = {**row, "evaluation": "lesion", "icd10": "L98.9", **boxes, "reasons___blurry": "Unchecked"}
    return write_csv({**row, **boxes}, lesion), write_csv({**row, **boxes}, delimiter=";")


def _make_flaws() -> bytes:
    flaws = dict.fromkeys(vizwiz.FLAWS, 1)
    return json.dumps([{"image": PHOTO, "flaws": flaws, "unrecognizable": 3}, {"image": "b.jpg"}]).encode()


def _make_runtimes() -> bytes:
    facts = {"artifact": "a.onnx", "sha256": "0", "runtime": "onnxruntime", "variant": "default", "machine": "x86-64"}
    rows = [
        RuntimeRow.model_validate({**facts, "version": one, "app": "", "verdict": "right"}) for one in ("1.15", "1.9")
    ]
    return RuntimeTable(images=1, rows=tuple(rows)).model_dump_json().encode()


def _make_self_test() -> bytes:
    folder = Path(tempfile.mkdtemp())
    write_self_test(folder, ["00.png"], [Precision.FP32])
    return (folder / SELF_TEST_FILE).read_bytes()


def _make_shared() -> bytes:
    run = make_run()
    measured = run.measurements[0].model_copy(update={"unavailable": "no delegate"})
    return run.model_copy(update={"target": "android-app", "measurements": (measured,)}).model_dump_json().encode()


def _make_answer() -> bytes:
    inner = {"domain": "CoreDevice", "code": 1, "userInfo": {"NSDescription": {"string": "locked"}}}
    info = {"NSLocalizedDescription": {"string": "no"}, "NSUnderlyingError": {"error": inner}}
    return json.dumps({"result": {}, "error": {"domain": "x", "code": 2, "userInfo": info}}).encode()


def _read_answer(data: bytes) -> Sequence[str]:
    answer = parse_json(data)
    return list(xcrun.list_reasons(answer.get("error") if isinstance(answer, dict) else None))

"""What Label Studio and REDCap export, in the forms that their documentation shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.data.annotations import Rating, read_ratings, write_ratings
from imageqx_export.data.readers import import_public
from imageqx_export.errors import DatasetError


def choices(name: str, *given: str) -> dict[str, Any]:
    value = {"choices": list(given)}
    return {"id": "x", "from_name": name, "to_name": "img", "type": "choices", "origin": "manual", "value": value}


def annotation(rater: object, *result: dict[str, Any], cancelled: bool = False) -> dict[str, Any]:
    return {"id": 1, "completed_by": rater, "result": list(result), "was_cancelled": cancelled, "lead_time": 3.2}


TASKS: list[dict[str, Any]] = [
    {
        "id": 7,
        "data": {"image": "/data/upload/3/1a2b3c4d-IMG_1.jpg", "patient": "p1", "fitzpatrick": 4, "split": "val"},
        "annotations": [
            annotation(1, choices("quality", "Poor quality"), choices("why", "Too far away", "blurry")),
            annotation(
                {"id": 2, "email": "b@x.org"},
                choices("quality", "lesion"),
                {"from_name": "icd", "type": "textarea", "value": {"text": ["l405"]}},
            ),
            annotation(3, cancelled=True),
        ],
    },
    {
        "id": 8,
        "data": {"image": "/data/local-files/?d=clinic/b%20c.jpg"},
        "annotations": [annotation(1, choices("quality", "lesion")), annotation(2)],
    },
    {"id": 9, "data": {"image": "s3://bucket/in/d.jpg"}, "annotations": [annotation(1, choices("why", "bad_light"))]},
]
WANTED = [
    Rating("IMG_1.jpg", "1", "poor_quality", ("too_far_away", "blurry"), "p1", "val", 4),
    Rating("IMG_1.jpg", "b@x.org", "L40.5", (), "p1", "val", 4),
    Rating("clinic/b c.jpg", "1", "L98.9"),
    Rating("in/d.jpg", "1", "poor_quality", ("bad_light",)),
]


def test_label_studios_json(tmp_path: Path) -> None:
    path = tmp_path / "project-1.json"
    path.write_text(json.dumps(TASKS))
    found = import_public("label_studio", path)
    assert list(found.ratings) == WANTED
    assert found.left_out == {"annotation that its rater skipped": 1, "annotation without an answer": 1}
    write_ratings(found.ratings, tmp_path / "ratings.csv")
    read, problems = read_ratings(tmp_path / "ratings.csv")
    assert not problems and len(read) == 4


def test_label_studios_json_min_and_csv(tmp_path: Path) -> None:
    rows = [
        {
            "image": "/data/upload/3/1a2b3c4d-IMG_1.jpg",
            "id": 7,
            "annotator": 1,
            "annotation_id": 4,
            "lead_time": 3.2,
            "quality": "poor_quality",
            "why": {"choices": ["too_far_away", "blurry"]},
        },
        {"image": "in/d.jpg", "id": 8, "annotator": 2, "annotation_id": 5, "quality": "no skin"},
    ]
    (tmp_path / "min.json").write_text(json.dumps(rows))
    (tmp_path / "a.csv").write_text(
        "annotation_id,annotator,created_at,id,image,lead_time,quality,updated_at,why\n"
        "4,1,2026-11-30T08:00:00Z,7,/data/upload/3/1a2b3c4d-IMG_1.jpg,3.2,poor_quality,2026-11-30T08:00:00Z,"
        '"{""choices"": [""too_far_away"", ""blurry""]}"\n'
        "5,2,2026-11-30T08:00:00Z,8,in/d.jpg,1,no skin,2026-11-30T08:00:00Z,\n"
    )
    wanted = [
        Rating("IMG_1.jpg", "1", "poor_quality", ("too_far_away", "blurry")),
        Rating("in/d.jpg", "2", "no_skin"),
    ]
    for name in ("min.json", "a.csv"):
        assert list(import_public("label_studio", tmp_path / name).ratings) == wanted


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([choices("quality", "rubbish")], r"(?s)an answer that raters cannot give.*task 1.*rubbish"),
        ([choices("quality", "no_skin"), choices("other", "lesion")], "contradict each other"),
    ],
)
def test_an_answer_that_is_none(tmp_path: Path, result: list[dict[str, Any]], message: str) -> None:
    task = {"id": 1, "data": {"image": "a.jpg"}, "annotations": [annotation(1, *result)]}
    (tmp_path / "a.json").write_text(json.dumps([task]))
    with pytest.raises(DatasetError, match=message):
        import_public("label_studio", tmp_path / "a.json")


NO_PHOTO = '[{"id": 1, "data": {}, "annotations": [{"result": [{"value": "no_skin"}]}]}]'

MISPLACED = [
    '[{"id": 1, "data": {"image": "a.jpg"}, "annotations": null}]',
    '[{"id": 1, "data": "a.jpg", "annotations": [{"result": [{"value": "no_skin"}]}]}]',
    '[{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": ["no_skin"]}]}]',
]


@pytest.mark.parametrize("text", ["{", "{}", "[1]", NO_PHOTO, *MISPLACED])
def test_a_json_that_is_no_export(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError):
        import_public("label_studio", tmp_path / "a.json")


HEAD = "record_id;redcap_repeat_instance;image;rater;evaluation;icd10;fitzpatrick;reasons___blurry;reasons___bad_light"


@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("Checked", "Unchecked")])
def test_redcaps_csv(tmp_path: Path, yes: str, no: str) -> None:
    (tmp_path / "a.csv").write_text(
        f"{HEAD}\n1;1;a.jpg;anna;poor_quality;;3;{yes};{no}\n1;2;a.jpg;ben;lesion;m073*;3;{no};{no}\n"
        f"2;1;b.jpg;anna;Healthy skin;;;{no};{no}\n3;1;c.jpg;anna;;;;{no};{no}\n4;1;d.jpg;ben;l57.0;;;;\n"
    )
    found = import_public("redcap", tmp_path / "a.csv")
    assert list(found.ratings) == [
        Rating("a.jpg", "anna", "poor_quality", ("blurry",), fitzpatrick=3, line=2),
        Rating("a.jpg", "ben", "M07.3", fitzpatrick=3, line=3),
        Rating("b.jpg", "anna", "healthy_skin", line=4),
        Rating("d.jpg", "ben", "L57.0", line=6),
    ]
    assert found.left_out == {"record without an evaluation": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("record_id,image\n1,a.jpg\n", "rater, evaluation: the columns are missing"),
        ("image,rater,evaluation,reasons___3\na,b,no_skin,1\n", "(?s)a check box that is no reason.*reasons___3"),
        ("image,rater,evaluation,reasons___blurry\na,b,poor_quality,2\n", "(?s)line 2, reasons___blurry.*got: +2"),
        ("image,rater,evaluation,icd10\na,b,no_skin,L57.0\n", "(?s)not an evaluation.*no_skin, L57.0"),
        ("image,rater,evaluation\na,b,3\n", "(?s)line 2.*codes of the choices"),
    ],
)
def test_a_redcap_export_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        import_public("redcap", tmp_path / "a.csv")

"""Readers of public data sets, on tiny downloads with the published columns and file names."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from imageqx_export.data.annotations import Rating, write_ratings
from imageqx_export.data.check import check
from imageqx_export.data.readers import import_public, read_public
from imageqx_export.errors import DatasetError, UnknownNameError

PAD = (
    "patient_id,lesion_id,smoke,drink,background_father,background_mother,age,pesticide,gender,skin_cancer_history,"
    "cancer_history,has_piped_water,has_sewage_system,fitspatrick,region,diameter_1,diameter_2,diagnostic,itch,grew,"
    "hurt,changed,bleed,elevation,img_id,biopsed"
)
FITZPATRICK = (
    "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,three_partition_label,qc,url,url_alphanum"
)
SCIN_CASES = (
    "case_id,source,release,year,age_group,sex_at_birth,fitzpatrick_skin_type,"
    "race_ethnicity_american_indian_or_alaska_native,race_ethnicity_asian,race_ethnicity_black_or_african_american,"
    "race_ethnicity_hispanic_latino_or_spanish_origin,race_ethnicity_middle_eastern_or_north_african,"
    "race_ethnicity_native_hawaiian_or_pacific_islander,race_ethnicity_white,race_ethnicity_other_race,"
    "race_ethnicity_prefer_not_to_answer,textures_raised_or_bumpy,textures_flat,textures_rough_or_flaky,"
    "textures_fluid_filled,body_parts_head_or_neck,body_parts_arm,body_parts_palm,body_parts_back_of_hand,"
    "body_parts_torso_front,body_parts_torso_back,body_parts_genitalia_or_groin,body_parts_buttocks,body_parts_leg,"
    "body_parts_foot_top_or_side,body_parts_foot_sole,body_parts_other,condition_symptoms_bothersome_appearance,"
    "condition_symptoms_bleeding,condition_symptoms_increasing_size,condition_symptoms_darkening,"
    "condition_symptoms_itching,condition_symptoms_burning,condition_symptoms_pain,"
    "condition_symptoms_no_relevant_experience,other_symptoms_fever,other_symptoms_chills,other_symptoms_fatigue,"
    "other_symptoms_joint_pain,other_symptoms_mouth_sores,other_symptoms_shortness_of_breath,"
    "other_symptoms_no_relevant_symptoms,related_category,condition_duration,image_1_path,image_2_path,image_3_path,"
    "image_1_shot_type,image_2_shot_type,image_3_shot_type,combined_race,race_ethnicity_two_or_more_after_mitigation"
)
SCIN_LABELS = (
    "case_id,dermatologist_gradable_for_skin_condition_1,dermatologist_gradable_for_skin_condition_2,"
    "dermatologist_gradable_for_skin_condition_3,dermatologist_skin_condition_on_label_name,"
    "dermatologist_skin_condition_confidence,weighted_skin_condition_label,"
    "dermatologist_gradable_for_fitzpatrick_skin_type_1,dermatologist_gradable_for_fitzpatrick_skin_type_2,"
    "dermatologist_gradable_for_fitzpatrick_skin_type_3,dermatologist_fitzpatrick_skin_type_label_1,"
    "dermatologist_fitzpatrick_skin_type_label_2,dermatologist_fitzpatrick_skin_type_label_3,"
    "gradable_for_monk_skin_tone_india,gradable_for_monk_skin_tone_us,monk_skin_tone_label_india,"
    "monk_skin_tone_label_us"
)
YES, HEALTHY, NO = (
    "DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT",
    "YES_IMAGE_QUALITY_SUFFICIENT_NO_DISCERNIBLE_PATHOLOGY",
    "NO_IMAGE_QUALITY_INSUFFICIENT",
)


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (200, 150, 120)).save(path)


def publish(path: Path, header: str, *rows: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, header.split(","), restval="")
        writer.writeheader()
        writer.writerows(rows)


def pad_ufes_20(root: Path) -> None:
    rows = [
        {"patient_id": "PAT_1", "lesion_id": "11", "diagnostic": d, "img_id": f"PAT_1_11_{i}.png", "fitspatrick": f}
        for i, (d, f) in enumerate([("NEV", ""), ("BCC", "3.0"), ("ACK", "1.0"), ("SEK", ""), ("SCC", ""), ("MEL", "")])
    ]
    publish(root / "metadata.csv", PAD, *rows)
    for i in range(5):  # the sixth is in an archive that was not unpacked
        photo(root / "images" / f"imgs_part_{i % 3 + 1}" / f"PAT_1_11_{i}.png")


def fitzpatrick17k(root: Path) -> None:
    values = [
        ("3", "3", ""),
        ("-1", "2", "1 Diagnostic"),
        ("-1", "-1", "5 Potentially"),
        ("4", "4", "3 Wrongly labelled"),
    ]
    rows = [
        {"md5hash": f"{i:032x}", "fitzpatrick_scale": s, "fitzpatrick_centaur": c, "label": "psoriasis", "qc": qc}
        for i, (s, c, qc) in enumerate([*values, ("4", "4", "")])
    ]
    publish(root / "fitzpatrick17k.csv", FITZPATRICK, *rows)
    for i in range(4):
        photo(root / "data" / f"{i:032x}.jpg")


def scin(root: Path) -> None:
    def case(number: int, kind: str, *photos: str) -> dict[str, str]:
        paths = {f"image_{i}_path": f"dataset/images/{name}.png" for i, name in enumerate(photos, 1)}
        return {"case_id": f"-{number}", "fitzpatrick_skin_type": kind, **paths}

    def label(number: int, graded: list[str], kinds: list[str]) -> dict[str, str]:
        asked = {f"dermatologist_gradable_for_skin_condition_{i}": value for i, value in enumerate(graded, 1)}
        seen = {f"dermatologist_fitzpatrick_skin_type_label_{i}": value for i, value in enumerate(kinds, 1)}
        return {"case_id": f"-{number}", **asked, **seen}

    publish(
        root / "dataset" / "scin_cases.csv",
        SCIN_CASES,
        case(1, "FST1", "-11", "12"),
        case(2, "FST6", "21"),
        case(3, "NONE_SELECTED", "31", "shared"),
        case(4, "", "41", "shared"),
        case(5, "FST2", "51"),
    )
    publish(
        root / "dataset" / "scin_labels.csv",
        SCIN_LABELS,
        label(1, [YES, NO, NO], ["FST4", "FST2", "FST3"]),
        label(2, [HEALTHY], []),
        label(3, [NO], []),
        label(4, [YES], ["FST5"]),
        label(5, [], []),
    )
    for name in ("-11", "12", "21", "31", "shared", "51"):  # 41 was not downloaded
        photo(root / "dataset" / "images" / f"{name}.png")


def vizwiz(root: Path) -> None:
    none = {"FRM": 0, "BLR": 0, "DRK": 0, "BRT": 0, "OBS": 0, "OTH": 0, "NON": 5, "ROT": 0}
    train = [
        {"image": "VizWiz_train_1.jpg", "flaws": {**none, "BLR": 5, "FRM": 1, "NON": 0, "ROT": 3}, "unrecognizable": 3},
        {"image": "VizWiz_train_2.jpg", "flaws": none, "unrecognizable": 0},
        {"image": "VizWiz_train_3.jpg", "flaws": none, "unrecognizable": 0},
    ]
    val = [{"image": "VizWiz_val_1.jpg", "flaws": {**none, "DRK": 1, "BRT": 2, "OBS": 1}, "unrecognizable": 2}]
    (root / "annotations").mkdir(parents=True)
    for name, entries in (("train", train), ("val", val)):
        (root / "annotations" / f"{name}.json").write_text(json.dumps(entries))
    for name in ("train/VizWiz_train_1", "train/VizWiz_train_2", "val/VizWiz_val_1"):  # the third was not downloaded
        photo(root / f"{name}.jpg")


def plain_folder(root: Path) -> None:
    for name in ("lesion/a.jpg", "lesion/deep/b.png", "healthy_skin/c.jpg", "no_skin/d.jpg", "poor_quality/e.jpg"):
        photo(root / name)
    (root / "lesion" / "notes.txt").write_text("no photo")
    publish(
        root / "manifest.csv",
        "file,group,fitzpatrick",
        {"file": "lesion/a.jpg", "group": "p1", "fitzpatrick": "5"},
        {"file": "healthy_skin/c.jpg", "group": "p1"},
    )


PUBLISHERS = {
    "pad_ufes_20": pad_ufes_20,
    "scin": scin,
    "fitzpatrick17k": fitzpatrick17k,
    "vizwiz": vizwiz,
    "plain_folder": plain_folder,
}


def test_pad_ufes_20(tmp_path: Path) -> None:
    pad_ufes_20(tmp_path)
    result = import_public("pad_ufes_20", tmp_path)
    assert result.ratings[1] == Rating(
        "images/imgs_part_2/PAT_1_11_1.png", "consensus", "C44.9", (), "PAT_1", None, fitzpatrick=3, line=3
    )
    assert [r.evaluation for r in result.ratings] == ["D22.9", "C44.9", "L57.0", "L82", "C44.9"]
    assert [r.fitzpatrick for r in result.ratings] == [0, 3, 1, 0, 0]
    assert result.left_out == {"photo not downloaded": 1}


def test_fitzpatrick17k(tmp_path: Path) -> None:
    fitzpatrick17k(tmp_path)
    result = import_public("fitzpatrick17k", tmp_path)
    assert [r.image for r in result.ratings] == [f"data/{i:032x}.jpg" for i in range(3)]
    assert [r.fitzpatrick for r in result.ratings] == [3, 2, 0]
    assert {(r.rater, r.label, r.patient) for r in result.ratings} == {("atlas", "lesion", None)}
    assert result.left_out == {"qc is 3 Wrongly labelled": 1, "photo not downloaded": 1}


def test_scin(tmp_path: Path) -> None:
    scin(tmp_path)
    result = import_public("scin", tmp_path)
    asked = {
        (r.image.removeprefix("dataset/images/"), r.rater[-1], r.label, r.patient, r.fitzpatrick)
        for r in result.ratings
    }
    first = {
        (name, rater, label, "-1", 3)
        for name in ("-11.png", "12.png")
        for rater, label in (("1", "lesion"), ("2", "poor_quality"), ("3", "poor_quality"))
    }
    assert asked == first | {("21.png", "1", "healthy_skin", "-2", 6), ("31.png", "1", "poor_quality", "-3", 0)}
    assert all(r.reasons == () for r in result.ratings)
    assert result.left_out == {
        "photo that several cases share": 2,
        "photo not downloaded": 1,
        "photo of a case that nobody graded": 1,
    }


def test_vizwiz(tmp_path: Path) -> None:
    vizwiz(tmp_path)
    result = import_public("vizwiz", tmp_path)
    assert result.left_out == {"photo not downloaded": 1}
    rows = {(row.image, row.rater): (row.evaluation, row.reasons, row.split) for row in result.ratings}
    assert len(rows) == len(result.ratings) == 15
    one, poor = "train/VizWiz_train_1.jpg", "poor_quality"
    assert rows[one, "rater_1"] == (poor, ("bad_framing", "blurry"), "train")
    assert rows[one, "rater_3"] == (poor, ("blurry",), "train")
    assert rows[one, "rater_4"] == rows[one, "rater_5"] == ("no_skin", (), "train")
    assert {rows["train/VizWiz_train_2.jpg", f"rater_{k}"][0] for k in range(1, 6)} == {"no_skin"}
    dark = "val/VizWiz_val_1.jpg"
    assert rows[dark, "rater_1"] == (poor, ("bad_light", "lesion_covered"), "val")
    assert rows[dark, "rater_2"] == (poor, ("bad_light",), "val")


def test_plain_folder(tmp_path: Path) -> None:
    plain_folder(tmp_path)
    assert read_public("plain_folder", tmp_path) == [
        Rating("lesion/a.jpg", "folder", "L98.9", patient="p1", fitzpatrick=5),
        Rating("lesion/deep/b.png", "folder", "L98.9"),
        Rating("no_skin/d.jpg", "folder", "no_skin"),
        Rating("healthy_skin/c.jpg", "folder", "healthy_skin", patient="p1"),
        Rating("poor_quality/e.jpg", "folder", "poor_quality"),
    ]


@pytest.mark.parametrize("name", PUBLISHERS)
def test_what_is_imported_is_a_clean_table_of_readable_photos(tmp_path: Path, name: str) -> None:
    PUBLISHERS[name](tmp_path)
    write_ratings(read_public(name, tmp_path), tmp_path / "ratings.csv")
    result = check(tmp_path / "ratings.csv", tmp_path)
    assert result.problems == () and result.summary.unreadable == 0 and result.summary.ratings > 0


@pytest.mark.parametrize(
    ("name", "page", "files"),
    [
        ("pad_ufes_20", "10.17632/zr7vgbcyr2.1", "metadata.csv"),
        ("scin", "github.com/google-research-datasets/scin", "dataset/scin_labels.csv"),
        ("fitzpatrick17k", "github.com/mattgroh/fitzpatrick17k", "fitzpatrick17k.csv"),
        ("vizwiz", "vizwiz.org", "annotations/train.json"),
    ],
)
def test_a_missing_download_says_where_it_is_published(tmp_path: Path, name: str, page: str, files: str) -> None:
    for made in (False, True):
        if made:
            PUBLISHERS[name](tmp_path / "made")
        for path in (*tmp_path.rglob("*.png"), *tmp_path.rglob("*.jpg")):
            path.unlink()  # the second time the tables are there, the photos are not
        with pytest.raises(DatasetError) as caught:
            import_public(name, tmp_path / "made")
        assert caught.value.what.startswith("no download of")
        assert page in str(caught.value.remedy) and files in str(caught.value.expected)


def test_another_value_or_column_than_published_is_refused(tmp_path: Path) -> None:
    for name, file, old, new, words in (
        ("pad_ufes_20", "metadata.csv", "NEV", "XYZ", "line 2: diagnostic"),
        ("pad_ufes_20", "metadata.csv", "fitspatrick", "fitzpatrick", "no fitspatrick"),
        ("scin", "dataset/scin_labels.csv", NO, "PERHAPS", "line 2: dermatologist_gradable_for_skin_condition_2"),
        ("vizwiz", "annotations/train.json", '"BLR": 5', '"BLR": 6', "photo 1: BLR"),
        ("vizwiz", "annotations/train.json", '"unrecognizable": 3', '"sharp": 3', "photo 1: unrecognizable"),
        ("vizwiz", "annotations/train.json", '"FRM"', '"FRAME"', "flaws of FRM"),
        ("plain_folder", "manifest.csv", "lesion/a.jpg", "lesion/z.jpg", "line 2"),
        ("plain_folder", "manifest.csv", ",5", ",7", "not a skin type"),
    ):
        root = tmp_path / f"{name} {new[:3]} {words[:3]}"
        PUBLISHERS[name](root)
        text = (root / file).read_text()
        assert old in text
        (root / file).write_text(text.replace(old, new))
        with pytest.raises(DatasetError, match=words):
            import_public(name, root)


def test_folders_without_photos_or_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="at least one of lesion/"):
        import_public("plain_folder", tmp_path)
    plain_folder(tmp_path)
    (tmp_path / "no_skin" / "d.jpg").unlink()
    with pytest.raises(DatasetError, match=r"a class has no photo(.|\n)*no_skin"):
        import_public("plain_folder", tmp_path)


def test_an_unknown_name_gets_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="pad_ufes_20, scin, fitzpatrick17k, vizwiz, plain_folder"):
        import_public("ham10000", tmp_path)

"""Annotation tables: every bad row is found, with its line, and no good one."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imageqx_export.data.annotations import Rating, read_ratings, settle, write_ratings
from imageqx_export.data.icd10 import is_code
from imageqx_export.errors import DatasetError

HEADER = "image,rater,evaluation,reasons,patient,split,fitzpatrick"
COLUMNS = HEADER.split(",")
SPLITS = ("train", "val", "test")


def table(folder: Path, *rows: str, header: str = HEADER, name: str = "ratings.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def found(path: Path) -> list[tuple[int, str]]:
    return [(problem.line, problem.column) for problem in read_ratings(path)[1]]


def test_a_clean_table_is_read_as_it_stands(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "a.jpg,ada,L57.0,,p1,train,2",
        "sub/b.jpg,ada,poor_quality,blurry;lesion_covered,p2,test,",
        "./sub//b.jpg,bob, no_skin ,,,,6.0",
    )
    ratings, problems = read_ratings(path)
    assert problems == ()
    assert ratings == (
        Rating("a.jpg", "ada", "L57.0", (), "p1", "train", 2, 2),
        Rating("sub/b.jpg", "ada", "poor_quality", ("blurry", "lesion_covered"), "p2", "test", 0, 3),
        Rating("sub/b.jpg", "bob", "no_skin", (), None, None, 6, 4),
    )
    assert [rating.label for rating in ratings] == ["lesion", "poor_quality", "no_skin"]


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (",ada,L57.0,,,,", "image", "inside the folder"),
        ("/etc/a.jpg,ada,L57.0,,,,", "image", "inside the folder"),
        ("../a.jpg,ada,L57.0,,,,", "image", "inside the folder"),
        ("sub\\a.jpg,ada,L57.0,,,,", "image", "inside the folder"),
        ("a.jpg,,L57.0,,,,", "rater", "nobody"),
        ("a.jpg,ada,,,,,", "evaluation", "ICD-10"),
        ("a.jpg,ada,lesion,,,,", "evaluation", "ICD-10"),
        ("a.jpg,ada,Z99999,,,,", "evaluation", "ICD-10"),
        ("a.jpg,ada,L50-L54,,,,", "evaluation", "ICD-10"),
        ("a.jpg,ada,poor_quality,blury,,,", "reasons", "not one of"),
        ("a.jpg,ada,L57.0,blurry,,,", "reasons", "without poor_quality"),
        ("a.jpg,ada,L57.0,lesion_covered,,,", "reasons", "without poor_quality"),
        ("a.jpg,ada,L57.0,,,training,", "split", "not one of"),
        ("a.jpg,ada,L57.0,,,,0", "fitzpatrick", "1 to 6"),
        ("a.jpg,ada,L57.0,,,,7", "fitzpatrick", "1 to 6"),
        ("a.jpg,ada,L57.0,,,,2.5", "fitzpatrick", "1 to 6"),
        ("a.jpg,ada,L57.0,,,,III", "fitzpatrick", "1 to 6"),
        ("a.jpg,ada,L57.0,,,", "(row)", "7 cells"),
        ("a.jpg,ada,L57.0,,,,,", "(row)", "7 cells"),
    ],
)
def test_each_bad_cell_is_named(tmp_path: Path, row: str, column: str, words: str) -> None:
    path = table(tmp_path, "x.jpg,ada,L57.0,,,,", row, "y.jpg,ada,healthy_skin,,,,")
    ratings, problems = read_ratings(path)
    assert [(problem.line, problem.column) for problem in problems] == [(3, column)]
    assert words in problems[0].what
    assert [rating.line for rating in ratings] == [2, 4]


def test_lines_are_the_files_own(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    text = (
        "image,rater,evaluation,reasons\r\n\r\n"
        '"two\r\nlines.jpg",ada,nonsense,\r\n'  # lines 3 and 4
        ",,,\r\n"
        'b.jpg,ada,"poor_quality","blurry;\r\nbad_light"\r\n'
        "c.jpg,ada,nonsense,\r\n"
    )
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert found(path) == [(3, "evaluation"), (8, "evaluation")]
    assert read_ratings(path)[0][0].reasons == ("blurry", "bad_light")


def test_rows_that_contradict_the_others_are_found(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "a.jpg,ada,L57.0,,p1,train,2",
        "a.jpg,bob,L57.0,,p1,train,2",
        "a.jpg,cyd,L57.0,,p9,train,2",  # another patient
        "a.jpg,dan,L57.0,,p1,train,5",  # another skin type
        "a.jpg,eve,L57.0,,p1,val,2",  # another split
        "a.jpg,ada,no_skin,,p1,train,2",  # a second rating
        "b.jpg,ada,L57.0,,p1,test,",  # the patient is in train
        "b.jpg,bob,L57.0,,,,",  # says nothing of its own
    )
    assert found(path) == [(4, "patient"), (5, "fitzpatrick"), (6, "split"), (7, "rater"), (8, "split")]


@pytest.mark.parametrize(
    ("header", "wrong"),
    [
        ("image,rater,evaluation", [(1, "reasons")]),
        ("image,rater,evaluation,reasons,fitzpatric", [(1, "fitzpatric")]),
        ("image,rater,rater,evaluation,reasons", [(1, "rater")]),
    ],
)
def test_wrong_columns_are_named(tmp_path: Path, header: str, wrong: list[tuple[int, str]]) -> None:
    assert found(table(tmp_path, header=header))[: len(wrong)] == wrong


def test_a_table_without_a_row_is_bad(tmp_path: Path) -> None:
    assert found(table(tmp_path)) == [(1, "(table)")]
    (tmp_path / "empty.csv").write_text("")
    assert found(tmp_path / "empty.csv") == [(1, "image, rater, evaluation, reasons")]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b'image,rater,evaluation,reasons\n"a.jpg,ada,L57.0,\nb.jpg,ada,L57.0,\n', "line 2"),
        ("a.csv", b"image,rater,evaluation,reasons\n\xe9.jpg,ada,L57.0,\n", "UTF-8"),
        ("a.parquet", b"PAR1 and nothing else", "Parquet"),
        ("a.xlsx", b"", ".csv or .parquet"),
        ("none.csv", None, "no such table"),
    ],
)
def test_what_is_no_table_is_one_clear_error(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=words):
        read_ratings(tmp_path / name)


def test_parquet_says_the_same_with_its_rows_counted(tmp_path: Path) -> None:
    columns = {
        "image": ["a.jpg", "b.jpg", "c.jpg"],
        "rater": ["ada", "ada", None],
        "evaluation": ["L57.0", "poor_quality", "no_skin"],
        "reasons": [[], ["blurry", "bad_light"], []],
        "fitzpatrick": [3.0, None, float("nan")],  # as pandas writes it
    }
    folder = tmp_path / "split=train"  # a folder name that Arrow's data sets would take for a column
    folder.mkdir()
    pq.write_table(pa.table(columns), folder / "a.parquet")
    ratings, problems = read_ratings(folder / "a.parquet")
    assert [(problem.line, problem.column) for problem in problems] == [(3, "rater")]
    assert [(r.line, r.reasons, r.fitzpatrick) for r in ratings] == [(1, (), 3), (2, ("blurry", "bad_light"), 0)]


def test_parquet_with_values_that_python_does_not_have_is_refused(tmp_path: Path) -> None:
    """Arrow reads them, and its conversion to Python raises what is no ArrowException."""
    late = pa.array([2**31 - 1], pa.date32())
    pq.write_table(
        pa.table({"image": ["a.jpg"], "rater": ["ada"], "evaluation": late, "reasons": [""]}), tmp_path / "a.parquet"
    )
    with pytest.raises(DatasetError, match="not a whole Parquet table") as caught:
        read_ratings(tmp_path / "a.parquet")
    assert caught.value.where == str(tmp_path / "a.parquet") and caught.value.got


@pytest.mark.parametrize("limit", ["MOST_ROWS", "MOST_BYTES"])
def test_parquet_that_says_it_is_too_large_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    rows = 5_000
    columns = {
        "image": [f"{i}.jpg" for i in range(rows)],
        "rater": ["ada"] * rows,
        "evaluation": ["L57.0"] * rows,
        "reasons": [""] * rows,
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert len(read_ratings(tmp_path / "a.parquet")[0]) == rows
    monkeypatch.setattr(f"imageqx_export.data.tables.{limit}", 100)
    with pytest.raises(DatasetError, match="it says that it has 5,000 rows of"):
        read_ratings(tmp_path / "a.parquet")


def test_icd_codes_of_both_editions_count() -> None:
    assert all(map(is_code, ("L57.0", "C44", "L82", "L98.9", "C44.91", "C4491")))
    assert not any(map(is_code, ("", "XII", "L50-L54", "lesion", "L57.0 ", "l57.0", "C44.987")))


def test_settled_takes_the_majority_then_the_first() -> None:
    assert settle([None, "b", "a", "a"]) == "a"
    assert settle(["b", "a", None]) == "b"
    assert settle([None, None]) is None


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_written_ratings_are_read_back(tmp_path: Path, name: str) -> None:
    ratings = (
        Rating('comma, "quote".jpg', "ada", "L57.0", (), "p1", "train", 2),
        Rating("b.jpg", "bob", "poor_quality", ("blurry", "bad_light"), None, None, 0),
    )
    write_ratings(ratings, tmp_path / name)
    back, problems = read_ratings(tmp_path / name)
    first = 2 if name == "a.csv" else 1
    assert problems == ()
    assert back == tuple(Rating(**{**vars(r), "line": first + i}) for i, r in enumerate(ratings))


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        *[("l57.0", "L57.0"), ("L570", "L57.0"), ("M07.3*", "M07.3"), ("l40.5†", "L40.5"), ("L40.5 +", "L40.5")],
        *[("L40", "L40"), ("c44.91", "C44.91")],  # the last of ICD-10-CM
    ],
)
def test_codes_are_taken_as_people_write_them(tmp_path: Path, cell: str, code: str) -> None:
    ratings, problems = read_ratings(table(tmp_path, f"a.jpg,ada,{cell},,,,"))
    assert problems == () and ratings[0].evaluation == code


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("L40.5† M07.3*", "several ICD-10 codes"),
        ("L57.0;C44.9", "several ICD-10 codes"),
        ("L50-L54", "a block of ICD-10"),
        ("l99.99", "neither an ICD-10 code"),
        ("M07.3**x", "neither an ICD-10 code"),
    ],
)
def test_what_is_no_one_code_is_told_why(tmp_path: Path, cell: str, words: str) -> None:
    (problem,) = read_ratings(table(tmp_path, f"a.jpg,ada,{cell},,,,"))[1]
    assert problem.column == "evaluation" and words in problem.what and problem.got == cell


ROW = ("a.jpg", "ada", "poor_quality", "blurry;bad_light", "", "", "")


@pytest.mark.parametrize(
    ("delimiter", "head", "encoding", "line"),
    [
        (";", "", "utf-8", 2),
        ("\t", "", "utf-8", 2),
        ("\t", "", "utf-16", 2),  # Excel's "Unicode text"
        (";", "sep=;\r\n", "utf-8-sig", 3),
        (",", '"sep=,"\n', "utf-8", 3),
        ("|", "sep=|\n", "utf-8", 3),
        ("\t", "sep=\t\n", "utf-8", 3),
    ],
)
def test_tables_as_spreadsheets_save_them(tmp_path: Path, delimiter: str, head: str, encoding: str, line: int) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows([COLUMNS, ROW])
    path = tmp_path / "ratings.csv"
    path.write_bytes((head + text.getvalue()).encode(encoding))
    ratings, problems = read_ratings(path)
    assert problems == ()
    assert ratings == (Rating("a.jpg", "ada", "poor_quality", ("blurry", "bad_light"), line=line),)


def test_one_cause_is_one_message(tmp_path: Path) -> None:
    """A misspelt column, and a table of another kind, whose rows are no table's either."""
    misspelt = table(tmp_path, "a.jpg,ada,no_skin,,,,", header=HEADER.replace("rater", "reader"))
    (problem,) = read_ratings(misspelt)[1]
    assert str(problem) == "line 1, rater: the column is missing ('there is reader')"
    (tmp_path / "other.csv").write_text("a|b\n1\n2,3\n")
    (problem,) = read_ratings(tmp_path / "other.csv")[1]
    assert problem.what == "the columns are missing" and problem.column == "image, rater, evaluation, reasons"

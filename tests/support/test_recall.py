"""What is kept is not made again, what is missing is made in one go, and without a store nothing is digested."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from imageqx_export.support import store as store_module
from imageqx_export.support.arrays import digest_array
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.recall import ARRAYS, Form, hold_model, recall_each
from imageqx_export.support.store import NO_STORE, Store


class Length(Frozen):
    """A result that is quickly made."""

    letters: int


class Book:
    """Makes lengths of words, and remembers of which."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def measure(self, words: list[str]) -> list[Length]:
        self.asked.append(words)
        return [Length(letters=len(word)) for word in words]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(store_module, "LEAST_FREE", 0)
    return Store(tmp_path / "cache", lambda: {"code": "1"}, stamp=lambda: "1")


def recall(store: Store, book: Book, words: list[str], form: Form[Length] | None = None) -> list[int]:
    rows = recall_each(
        store, words, lambda word: store.make_key("length", word=word), book.measure, form or hold_model(Length)
    )
    return [row.letters for row in rows]


def test_what_is_missing_is_made_in_one_go_and_comes_back_in_order(store: Store) -> None:
    book = Book()
    assert recall(store, book, ["bb", "dddd"]) == [2, 4]
    assert recall(store, book, ["a", "bb", "ccc", "dddd", ""]) == [1, 2, 3, 4, 0]
    assert recall(store, book, ["ccc", "bb"]) == [3, 2]
    assert recall(store, book, []) == []
    assert book.asked == [["bb", "dddd"], ["a", "ccc", ""]]


def test_without_a_store_all_is_made_and_no_key(store: Store) -> None:
    def refuse(word: str) -> str:
        raise AssertionError("a key was made")

    book = Book()
    for _ in range(2):
        assert [row.letters for row in recall_each(NO_STORE, ["a"], refuse, book.measure, hold_model(Length))] == [1]
    assert book.asked == [["a"], ["a"]]
    with pytest.raises(AssertionError, match="a key was made"):
        recall_each(store, ["a"], refuse, book.measure, hold_model(Length))


def test_what_is_written_as_no_file_is_made_each_time(store: Store) -> None:
    book, whole = Book(), hold_model(Length)
    form = Form[Length](lambda row: {} if row.letters == 1 else whole.write(row), whole.read)
    assert recall(store, book, ["a", "bb"], form) == recall(store, book, ["a", "bb"], form) == [1, 2]
    assert book.asked == [["a", "bb"], ["a"]]


@pytest.mark.parametrize(
    "files", [{}, {"other.json": b"{}"}, {"value.json": b'{"letters": "many"}'}, {"value.json": b"\xff"}]
)
def test_what_cannot_be_read_back_is_made_again(store: Store, files: Mapping[str, bytes]) -> None:
    book = Book()
    store.keep(store.make_key("length", word="a"), files)
    assert recall(store, book, ["a"]) == [1] and book.asked == [["a"]]


def test_results_that_are_too_few_are_no_results(store: Store) -> None:
    with pytest.raises(ValueError, match="shorter"):
        recall_each(store, ["a", "b"], lambda word: word, lambda words: [Length(letters=1)], hold_model(Length))


def test_arrays_are_kept_to_the_bit_and_another_number_is_another_digest() -> None:
    given = {
        "quality": np.asarray([[0.1, np.float32(1e-38)]], np.float32),
        "attention": np.zeros((1, 2, 3), np.float32),
    }
    found = ARRAYS.read(ARRAYS.write(given))
    assert list(found) == list(given)
    assert all(
        found[name].tobytes() == given[name].tobytes() and found[name].shape == given[name].shape for name in given
    )
    pixels = np.zeros((2, 3), np.uint8)
    other = pixels.copy()
    other[1, 2] = 1
    assert len({digest_array(one) for one in (pixels, other, pixels.reshape(3, 2), pixels.astype(np.int8))}) == 4

"""What an address of fsspec says of a put on a condition, in each library's words."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from imageqx_export.errors import ReleaseError
from imageqx_export.release import bucket
from imageqx_export.release.bucket import FsspecStore


class AnswerError(Exception):
    """What botocore raises."""

    def __init__(self, status: int) -> None:
        super().__init__("An error occurred")
        self.response = {"Error": {"Code": "Other"}, "ResponseMetadata": {"HTTPStatusCode": status}}


class Files:
    """A file system that answers puts with HTTP's statuses, one after the other, as s3fs passes them on."""

    def __init__(self, *statuses: int, there: bytes | None = None) -> None:
        self.statuses, self.there = list(statuses), there

    def invalidate_cache(self) -> None:
        """Know nothing."""

    def open(self, name: str, mode: str) -> io.BytesIO:
        """Give what is there."""
        if self.there is None:
            raise FileNotFoundError(name)
        return io.BytesIO(self.there)

    def pipe_file(self, name: str, content: bytes, mode: str) -> None:
        """Answer."""
        assert mode == "create"
        if (status := self.statuses.pop(0)) == 404:
            raise FileNotFoundError("The specified bucket does not exist")
        if status != 200:
            raise OSError(errno.EIO, "An error occurred") from AnswerError(status)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_PAUSE", 0.0)


def make_store(*statuses: int, there: bytes | None = None) -> FsspecStore:
    store = FsspecStore("memory://bucket/releases")
    store._files = Files(*statuses, there=there)
    return store


@pytest.mark.parametrize(
    ("statuses", "created"),
    [((200, 412), True), ((412,), False), ((409, 200, 412), True), ((409, 409, 412), False), ((200, 409, 412), True)],
)
def test_a_condition_that_does_not_hold_is_no_error(statuses: tuple[int, ...], created: bool) -> None:
    assert make_store(*statuses).create("a", b"content") is created


@pytest.mark.parametrize(("there", "created"), [(b"content", True), (b"another publisher's", False)])
def test_a_put_whose_answer_was_lost_is_no_other_publishers(there: bytes, created: bool) -> None:
    """The library puts it again by itself, and the condition does not hold any more."""
    assert make_store(412, there=there).create("a", b"content") is created


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_any_other_answer_is_one(status: int) -> None:
    with pytest.raises(ReleaseError, match="the address cannot be used"):
        make_store(status).create("a", b"content")


def test_a_bucket_that_is_not_there_is_named() -> None:
    with pytest.raises(ReleaseError, match="there is no such bucket") as caught:
        make_store(404).create("a", b"content")
    assert caught.value.where == "memory://bucket/releases" and caught.value.remedy is not None
    with pytest.raises(FileNotFoundError):
        make_store().read("a", 9)


def test_a_conflict_without_end_is_one_too() -> None:
    with pytest.raises(ReleaseError, match="the address cannot be used"):
        make_store(*[409] * 9).create("a", b"content")


def test_a_place_that_knows_no_condition_is_refused_and_another_is_asked_once() -> None:
    with pytest.raises(ReleaseError, match="two publishers cannot be kept apart"):
        make_store(200, 200).create("a", b"content")
    store = make_store(200, 412, 200)
    assert store.create("a", b"content") and store.create("b", b"content")


def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(ReleaseError, match="Install s3fs") as caught:
        FsspecStore("s3://bucket/releases")
    assert caught.value.remedy == "install it into imageqx's own environment"

"""What is kept comes back as it was or not at all, whoever damages, fills or races for its folder."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.support import store as store_module
from imageqx_export.support.files import write_aside
from imageqx_export.support.store import NO_STORE, Store, open_store

FILES = {"a.bin": b"one", "folder/b.bin": bytes(range(256))}


def make(folder: Path, most: int = 10**6, **changed: str) -> Store:
    circumstances = {"code": "1", "libraries": "torch==1", **changed}
    return Store(folder, lambda: circumstances, stamp=lambda: "1", most_bytes=most)


@pytest.fixture(autouse=True)
def any_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LEAST_FREE", 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_what_is_kept_comes_back_in_another_process_of_the_same_circumstances(folder: Path) -> None:
    store = make(folder)
    key = store.make_key("export", checkpoint="0")
    assert store.find(key) is None
    store.keep(key, FILES)
    assert make(folder).find(make(folder).make_key("export", checkpoint="0")) == FILES
    assert NO_STORE.find(key) is None


@pytest.mark.parametrize(
    "other",
    [
        lambda folder: make(folder).make_key("export", checkpoint="1"),
        lambda folder: make(folder).make_key("parity", checkpoint="0"),
        lambda folder: make(folder, code="2").make_key("export", checkpoint="0"),
        lambda folder: make(folder, libraries="torch==1.0.1").make_key("export", checkpoint="0"),
        lambda folder: make(folder, machine="another").make_key("export", checkpoint="0"),
    ],
)
def test_whatever_changes_misses(folder: Path, other: Callable[[Path], str]) -> None:
    store = make(folder)
    store.keep(store.make_key("export", checkpoint="0"), FILES)
    assert store.find(other(folder)) is None


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("part", ["entries", "files"])
@pytest.mark.parametrize(
    "harm", [damage, lambda path: path.write_bytes(b""), Path.unlink, lambda path: path.chmod(0o666)]
)
def test_damaged_cut_lost_or_foreign_files_are_a_miss_and_are_made_whole(
    folder: Path, part: str, harm: Callable[[Path], Any]
) -> None:
    """A file that others may write to counts as foreign, as one of another user does."""
    store = make(folder)
    key = store.make_key("export")
    store.keep(key, FILES)
    for path in list((folder / part).iterdir()):
        harm(path)
    assert store.find(key) is None
    store.keep(key, FILES)
    assert store.find(key) == FILES


def test_every_byte_of_an_entry_counts(folder: Path) -> None:
    store = make(folder)
    key = store.make_key("export")
    store.keep(key, {"a": b"1"})
    (entry,) = (folder / "entries").iterdir()
    whole = entry.read_bytes()
    for place, byte in enumerate(whole):
        if not chr(byte).isspace():
            entry.write_bytes(whole[:place] + bytes([byte ^ 1]) + whole[place + 1 :])
            assert store.find(key) is None, place


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_another_users_folder_is_neither_read_nor_written(folder: Path) -> None:
    store = make(folder)
    key = store.make_key("export")
    store.keep(key, FILES)
    os.chown(folder, 12345, -1)
    assert store.find(key) is None
    before = sorted(folder.rglob("*"))
    store.keep(store.make_key("other"), {"c": b"3"})
    assert sorted(folder.rglob("*")) == before


def test_a_name_that_leaves_the_folder_is_a_miss(folder: Path) -> None:
    store = make(folder)
    for name in ("../a", "/a", "a/../../b", ""):
        store.keep(store.make_key("export"), {name: b"1"})
        assert store.find(store.make_key("export")) is None


def test_the_entry_that_was_used_longest_ago_goes_first(folder: Path) -> None:
    store = make(folder, most=250)
    keys = [store.make_key("export", number=number) for number in range(3)]
    for number, key in enumerate(keys[:2]):
        store.keep(key, {"a": bytes([number]) * 100})
        os.utime(folder / "entries" / f"{key}.json", (number, number))
    assert store.find(keys[0]) is not None  # and is the newer one by that
    store.keep(keys[2], {"a": b"2" * 100})
    store.trim()
    assert [store.find(key) is None for key in keys] == [False, True, False]
    assert sum(path.stat().st_size for path in (folder / "files").iterdir()) == 200


def test_code_that_changed_meanwhile_keeps_nothing(folder: Path) -> None:
    code = ["1"]
    store = Store(folder, lambda: {"code": "1"}, lambda: code[0])
    key = store.make_key("export")
    code[0] = "2"
    store.keep(key, FILES)
    code[0] = "1"
    assert store.find(key) is None


def test_a_renewed_store_asks_for_circumstances_again(folder: Path) -> None:
    version = ["1"]
    store = Store(folder, lambda: {"libraries": version[0]}, lambda: "1")
    key = store.make_key("export")
    version[0] = "2"
    assert store.make_key("export") == key != store.renew().make_key("export")


def test_what_cannot_be_described_is_neither_kept_nor_found(folder: Path) -> None:
    def vanish() -> dict[str, str]:
        raise FileNotFoundError("a file of the package")

    store = Store(folder, vanish, lambda: "1")
    key = store.make_key("export")
    store.keep(key, FILES)
    store.trim()
    assert key == "" and store.find(key) is None and not folder.exists()


def test_a_fresh_store_keeps_and_does_not_find(folder: Path) -> None:
    key = make(folder).make_key("export")
    fresh = Store(folder, make(folder).circumstances, lambda: "1", fresh=True)
    fresh.keep(key, FILES)
    assert fresh.find(key) is None and not fresh.was_used
    store = make(folder)
    assert store.find(key) == FILES and store.was_used


@pytest.mark.parametrize("part", ["files", "entries"])
def test_where_the_disk_fills_up_nothing_half_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    store = make(folder)
    store.keep(store.make_key("whole"), {"a": b"1"})
    whole = write_aside

    @contextmanager
    def fill(path: Path) -> Iterator[Path]:
        with whole(path) as aside:
            yield aside
            if path.parent.name == part:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(store_module, "write_aside", fill)
    before = sorted(folder.rglob("*"))
    store.keep(store.make_key("other"), FILES)
    assert sorted(folder.rglob("*")) == before
    assert store.find(store.make_key("whole")) == {"a": b"1"} and store.find(store.make_key("other")) is None


def test_nothing_is_kept_on_a_disk_that_is_nearly_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LEAST_FREE", 2**80)
    store = make(folder)
    store.keep(store.make_key("export"), FILES)
    assert store.find(store.make_key("export")) is None


def test_what_killed_writers_left_goes(folder: Path) -> None:
    store = make(folder)
    store.keep(store.make_key("export"), FILES)
    left = [folder / part / ".x.abcdefgh.part" for part in ("entries", "files")]
    for path in left:
        path.write_bytes(b"half")
    store.trim()
    assert not any(path.exists() for path in left) and store.find(store.make_key("export")) == FILES


def test_what_fits_is_not_looked_at_entry_by_entry(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make(folder)
    store.keep(store.make_key("export"), FILES)
    monkeypatch.setattr(store_module, "_list_files", None)
    store.trim()
    store.keep(store.make_key("other"), FILES)
    assert store.find(store.make_key("other")) == FILES


def test_a_folder_in_the_place_of_an_entry_is_no_error(folder: Path) -> None:
    store = make(folder)
    key = store.make_key("export")
    (folder / "entries" / f"{key}.json").mkdir(parents=True)
    folder.chmod(0o700)
    store.keep(key, FILES)
    assert store.find(key) is None


def test_an_empty_entry_is_not_kept(folder: Path) -> None:
    store = make(folder)
    store.keep(store.make_key("export"), {})
    assert store.find(store.make_key("export")) is None


def test_a_folder_that_can_only_be_read_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(path)

    store = make(folder)
    store.keep(store.make_key("export"), FILES)
    monkeypatch.setattr(os, "utime", refuse)
    assert store.find(store.make_key("export")) == FILES


def test_a_link_to_a_folder_is_that_folder(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(folder)
    store = open_store(link)
    store.keep(store.make_key("export"), FILES)
    assert open_store(folder).find(store.make_key("export")) == FILES and store.explain_unused() is None


def test_why_a_folder_is_not_used_is_told(folder: Path) -> None:
    store = make(folder)
    assert store.explain_unused() is None  # it is not there yet
    folder.mkdir()
    folder.chmod(0o775)
    store.keep(store.make_key("export"), FILES)
    assert list(folder.iterdir()) == []
    assert f"chmod go-w {folder}" in str(store.explain_unused())


def test_a_full_or_forbidden_disk_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = make(tmp_path / "file" / "cache")
    store.keep(store.make_key("export"), FILES)
    assert store.find(store.make_key("export")) is None


def test_several_at_once_keep_and_find_whole_entries(folder: Path) -> None:
    wrong: list[object] = []
    hits: list[object] = []

    def work(seed: int) -> None:
        store = make(folder, most=2000)
        for number in range(12):
            key = store.make_key("export", number=number)
            content = {"a": bytes([number]) * 300, "b": b"shared"}
            store.keep(key, content)
            found = store.find(key)
            (hits if found == content else wrong if found is not None else []).append(found)
            store.trim()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and hits != []

"""Keys rotate, lists expire, publishers are killed: an app follows, and is never shown half of anything."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from imageqx_export.errors import ReleaseError
from imageqx_export.release.ceremony import init_keys, renew, rotate_key
from imageqx_export.release.client import Source
from imageqx_export.release.keys import ROLES
from imageqx_export.release.pull import list_releases
from imageqx_export.release.signing import commit, read_state
from imageqx_export.release.store import FolderStore, Store
from tests.release.tiny import Publisher, make_publisher, passphrase

INDEX = "maven/org/imageqx/imageqx-model-tflite-w8a8/maven-metadata.xml"


class Killed(BaseException):
    """What stands for SIGKILL."""


class FrailStore:
    """A folder whose user is killed at one of its writes; ``names`` has them in order."""

    def __init__(self, store: FolderStore, at: int) -> None:
        self._store, self._at = store, at
        self.names: list[str] = []
        self.address = store.address

    def _count(self, name: str, write: Callable[[], bool | None]) -> bool:
        self.names.append(name)
        if len(self.names) == self._at:
            raise Killed
        return bool(write())

    def read(self, name: str, most: int) -> bytes:
        return self._store.read(name, most)

    def find_digest(self, name: str) -> str | None:
        return self._store.find_digest(name)

    def list_names(self, folder: str) -> list[str]:
        return self._store.list_names(folder)

    def create(self, name: str, content: bytes) -> bool:
        return self._count(name, lambda: self._store.create(name, content))

    def replace(self, name: str, content: bytes) -> None:
        self._count(name, lambda: self._store.replace(name, content))

    def put(self, name: str, path: Path) -> None:
        self._count(name, lambda: self._store.put(name, path))

    def hold(self) -> AbstractContextManager[None]:
        return self._store.hold()


def _list(publisher: Publisher, cache: Path, root: Path | None = None) -> list[str]:
    source = Source(str(publisher.tree), root=root or publisher.root, cache=cache)
    return [version for _, version, _ in list_releases(source)]


@pytest.mark.long
def test_a_publish_killed_at_any_write_leaves_the_old_release(
    publisher: Publisher, export: Path, newer: Path, tmp_path: Path
) -> None:
    publisher.publish(export, "1.0.0")
    shutil.copytree(publisher.tree, tmp_path / "whole")
    counting = FrailStore(FolderStore(tmp_path / "whole"), -1)
    publisher.publish(newer, "1.1.0", store=counting)
    last = counting.names.index("metadata/timestamp.json") + 1
    assert last > 15 and len(counting.names) > last + 3  # what Maven and git look versions up in comes after it
    for at in (1, 2, 5, last - 2, last - 1, last, last + 1, len(counting.names)):
        tree = shutil.copytree(publisher.tree, tmp_path / f"tree{at}")
        with pytest.raises(Killed):
            publisher.publish(newer, "1.1.0", store=FrailStore(FolderStore(tree), at))
        source = Source(str(tree), root=publisher.root, cache=tmp_path / f"cache{at}")
        assert [row[1] for row in list_releases(source)] == ["1.1.0", "1.0.0"][at <= last :], at
        publisher.publish(newer, "1.1.0", store=FolderStore(tree))
        assert [row[1] for row in list_releases(source)] == ["1.1.0", "1.0.0"], at
        assert (tree / INDEX).read_bytes() == (tmp_path / "whole" / INDEX).read_bytes()


def test_a_snapshot_that_a_killed_publisher_left_is_moved_on_by_the_next(publisher: Publisher, tmp_path: Path) -> None:
    class NoTimestamp(FrailStore):
        def replace(self, name: str, content: bytes) -> None:
            raise Killed

    def touch(signed: object) -> bool:
        return True

    with pytest.raises(Killed):
        commit(NoTimestamp(FolderStore(publisher.tree), 99), publisher.ring(), touch)
    assert read_state(publisher.store, publisher.root).snapshot.signed.version == 1
    commit(publisher.store, publisher.ring(), lambda targets: False)
    assert read_state(publisher.store, publisher.root).timestamp.signed.version == 2


def test_a_forged_snapshot_is_not_moved_on(publisher: Publisher) -> None:
    (publisher.tree / "metadata" / "2.snapshot.json").write_bytes(
        (publisher.tree / "metadata" / "1.snapshot.json").read_bytes()
    )
    before = (publisher.tree / "metadata" / "timestamp.json").read_bytes()
    with pytest.raises(ReleaseError, match="not signed as it must be"):
        renew(publisher.store, publisher.ring())
    assert (publisher.tree / "metadata" / "timestamp.json").read_bytes() == before


def test_what_somebody_else_put_into_the_list_is_not_signed_again(publisher: Publisher, tmp_path: Path) -> None:
    other = make_publisher(tmp_path / "other")
    for path in (other.tree / "metadata").iterdir():
        (publisher.tree / "metadata" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ReleaseError, match="not signed as it must be"):
        renew(publisher.store, publisher.ring())


@pytest.mark.long
@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_an_app_with_the_first_root_follows_a_rotation(
    role: str, publisher: Publisher, export: Path, tmp_path: Path
) -> None:
    publisher.publish(export, "1.0.0")
    assert _list(publisher, tmp_path / "cache") == ["1.0.0"]
    old = rotate_key(publisher.store, publisher.keys, role, passphrase, rounds=1)
    assert old.name == f"{role}-1.key"
    assert _list(publisher, tmp_path / "cache") == ["1.0.0"]
    old.unlink()
    publisher.publish(export, "1.0.1")
    assert _list(publisher, tmp_path / "cache") == _list(publisher, tmp_path / "fresh") == ["1.0.1", "1.0.0"]


@pytest.mark.long
@pytest.mark.parametrize("at", range(1, 6))
def test_a_rotation_killed_at_any_write_refuses_nobody(at: int, publisher: Publisher, tmp_path: Path) -> None:
    frail: Store = FrailStore(FolderStore(publisher.tree), at)
    with pytest.raises(Killed):
        rotate_key(frail, publisher.keys, "timestamp", passphrase, rounds=1)
    assert _list(publisher, tmp_path / "cache") == []
    rotate_key(publisher.store, publisher.keys, "timestamp", passphrase, rounds=1)
    assert _list(publisher, tmp_path / "cache") == _list(publisher, tmp_path / "fresh") == []


def test_a_lost_key_signs_nothing_after_its_rotation(publisher: Publisher, export: Path, tmp_path: Path) -> None:
    lost = publisher.ring()
    rotate_key(publisher.store, publisher.keys, "targets", passphrase, rounds=1)
    with pytest.raises(ReleaseError, match="too few keys of targets"):
        commit(publisher.store, lost, lambda targets: True)


def test_a_threshold_of_root_keys_is_needed(tmp_path: Path) -> None:
    publisher = make_publisher(tmp_path, root_keys=3, threshold=2)
    away = publisher.keys / "root" / "root-3.key"
    away.rename(tmp_path / "away.key")
    rotate_key(publisher.store, publisher.keys, "targets", passphrase, rounds=1)
    (publisher.keys / "root" / "root-2.key").rename(tmp_path / "away2.key")
    with pytest.raises(ReleaseError, match="too few keys of root") as caught:
        rotate_key(publisher.store, publisher.keys, "targets", passphrase, rounds=1)
    assert caught.value.expected == "2 of the 3 that the root names, as root-1.key"
    assert _list(publisher, tmp_path / "cache") == []


def test_the_roots_keys_are_not_needed_to_publish(publisher: Publisher, export: Path) -> None:
    (publisher.keys / "root" / "root-1.key").unlink()
    (publisher.keys / "root").rmdir()
    assert publisher.publish(export, "1.0.0").new
    with pytest.raises(ReleaseError, match="too few keys of root"):
        rotate_key(publisher.store, publisher.keys, "timestamp", passphrase, rounds=1)


def test_an_expired_list_is_refused_and_renewed(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imageqx_export.release import signing

    monkeypatch.setattr(signing, "verify", lambda store, keys, pending: None)  # which would not let it happen
    renew(publisher.store, publisher.ring({"timestamp": -1}))
    monkeypatch.undo()
    with pytest.raises(ReleaseError, match="has expired"):
        _list(publisher, tmp_path / "cache")
    renew(publisher.store, publisher.ring())
    assert _list(publisher, tmp_path / "cache") == []


def test_a_publisher_does_not_publish_what_a_client_would_refuse(publisher: Publisher) -> None:
    with pytest.raises(ReleaseError, match="not signed as it must be"):
        renew(publisher.store, publisher.ring({"timestamp": -1}))
    assert read_state(publisher.store, publisher.root).timestamp.signed.version == 1


@pytest.mark.parametrize("at", ["create", "replace"])
def test_keys_that_opened_nothing_do_not_stay(at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that the tree's first root names do, as it is theirs to go on with."""
    store, keys = FolderStore(tmp_path / "tree"), tmp_path / "keys"

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, at, fail)
        with pytest.raises(OSError, match="No space"):
            init_keys(store, keys, passphrase, rounds=1)
    left = {path.name for path in keys.rglob("*") if path.is_file()}
    assert left == (set() if at == "create" else {"root.json", *(f"{role}-1.key" for role in ROLES)})
    if at == "create":
        init_keys(store, keys, passphrase, rounds=1)
        assert read_state(store, keys / "root.json").timestamp.signed.version == 1


def test_of_two_who_begin_a_tree_the_slower_keeps_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = FolderStore(tmp_path / "tree"), FolderStore(tmp_path / "tree")
    init_keys(other, tmp_path / "quicker", passphrase, rounds=1)
    monkeypatch.setattr(store, "list_names", lambda folder: [])  # it looked before that
    with pytest.raises(ReleaseError, match="there are releases already"):
        init_keys(store, tmp_path / "slower", passphrase, rounds=1)
    assert [path for path in (tmp_path / "slower").rglob("*") if path.is_file()] == []
    assert read_state(store, tmp_path / "quicker" / "root.json").timestamp.signed.version == 1


def test_keys_are_made_once(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="there are releases already"):
        init_keys(publisher.store, tmp_path / "other", passphrase, rounds=1)
    with pytest.raises(ReleaseError, match="there are keys already"):
        init_keys(FolderStore(tmp_path / "new"), publisher.keys, passphrase, rounds=1)
    with pytest.raises(ReleaseError, match="passphrase is empty"):
        init_keys(FolderStore(tmp_path / "new"), tmp_path / "other", lambda root: "", rounds=1)
    with pytest.raises(ReleaseError, match="no such threshold"):
        init_keys(FolderStore(tmp_path / "new"), tmp_path / "other", passphrase, threshold=2, rounds=1)
    assert not (tmp_path / "new").exists()

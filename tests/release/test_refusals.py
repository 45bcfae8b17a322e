"""An attacker's files, keys and names: each is refused in a sentence, and nothing is written."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from imageqx_export.errors import ReleaseError
from imageqx_export.release.ceremony import renew, rotate_key
from imageqx_export.release.client import Source
from imageqx_export.release.names import find_nearest, parse_wanted, refuse_leaving
from imageqx_export.release.pull import list_releases
from imageqx_export.release.signing import commit
from imageqx_export.support.untrusted import MOST_JSON
from tests.release.servers import Attack, Handler, serve
from tests.release.test_pull import pull_model
from tests.release.tiny import Publisher, make_publisher, passphrase

MODEL = "imageqx_w8a8.tflite"
DESCRIPTION = "imageqx/1.0.0/release.json"


def refuse(
    tree: Path,
    root: Path,
    tmp_path: Path,
    message: str,
    attack: Attack | None = None,
    seconds: float = 20,
    wanted: str = "imageqx@1.0.0",
) -> ReleaseError:
    """Pull, see that it is refused in time with one sentence, and that nothing was written."""
    with serve(tree, attack) as (address, _):
        source = Source(address, root, tmp_path / "cache", deadline=min(seconds, 20))
        begun = time.monotonic()
        with pytest.raises(ReleaseError, match=message) as caught:
            pull_model(source, tmp_path / "out", wanted)
        assert time.monotonic() - begun < seconds + 2
        assert find_held_lines(address) == []
    assert not (tmp_path / "out").exists()
    assert "\n" not in caught.value.what and list((tmp_path / "cache").glob("*/targets/*tflite*")) == []
    return caught.value


def find_held_lines(address: str) -> list[str]:
    """Return the states of this process's connections to a server, which an error in hand must not keep open."""
    lines = psutil.Process().net_connections("tcp4")
    return [line.status for line in lines if line.raddr and line.raddr.port == urlsplit(address).port]


def change(end: str, content: Callable[[bytes], bytes]) -> Attack:
    """Return an attack that sends another file than the one whose path has this end."""

    def attack(handler: Handler, path: str) -> bool:
        if not path.endswith(end):
            return False
        handler.answer(200, content((handler.folder / path.lstrip("/")).read_bytes()))
        return True

    return attack


def sign_again(publisher: Publisher) -> None:
    """Sign a release's description as it lies in the tree now."""

    def change(targets: Targets) -> bool:
        file = TargetFile.from_data(DESCRIPTION, (publisher.tree / DESCRIPTION).read_bytes(), ["sha256"])
        file.unrecognized_fields = targets.targets[DESCRIPTION].unrecognized_fields
        targets.targets[DESCRIPTION] = file
        return True

    commit(publisher.store, publisher.ring(), change)


@pytest.mark.parametrize(
    ("end", "content", "message"),
    [
        (MODEL, lambda b: bytes([b[0] ^ 1]) + b[1:], "a file is not the one that was signed"),
        (MODEL, lambda b: b[:-1], "a file is not the one that was signed"),
        (MODEL, lambda b: b + b"x", "the server sends more than was signed"),
        ("release.json", lambda b: b.replace(b"1.0.0", b"6.6.6"), "a file is not the one that was signed"),
        ("targets.json", lambda b: b.replace(b"imageqx_w8a8", b"imageqx_evil"), "do not belong together"),
        ("snapshot.json", lambda b: b + b" ", "sends more than was signed"),
        ("timestamp.json", lambda b: b.replace(b'"version":', b'"version":9'), "not signed by the keys"),
        ("timestamp.json", lambda b: b"<html>Welcome! Please log in</html>", "as from a login page"),
        ("timestamp.json", lambda b: b"[" * 10_000, "as from a login page"),
        ("timestamp.json", lambda b: b" " * 10**6, "sends more than was signed"),
    ],
)
def test_changed_files(
    end: str, content: Callable[[bytes], bytes], message: str, published: Publisher, tmp_path: Path
) -> None:
    refuse(published.tree, published.root, tmp_path, message, change(end, content))


def test_other_keys(published: Publisher, export: Path, tmp_path: Path) -> None:
    attacker = make_publisher(tmp_path / "attacker")
    attacker.publish(export, "1.0.0")
    refuse(attacker.tree, published.root, tmp_path, "not signed by the keys that are trusted")


def test_a_root_of_other_keys_is_no_successor(published: Publisher, tmp_path: Path) -> None:
    attacker = make_publisher(tmp_path / "attacker")
    rotate_key(attacker.store, attacker.keys, "root", passphrase, rounds=1)
    forged = (attacker.tree / "metadata" / "2.root.json").read_bytes()

    def attack(handler: Handler, path: str) -> bool:
        if not path.endswith("2.root.json"):
            return False
        handler.answer(200, forged)
        return True

    refuse(published.tree, published.root, tmp_path, "not signed by the keys that are trusted", attack)


def test_rolled_back(publisher: Publisher, export: Path, tmp_path: Path) -> None:
    publisher.publish(export, "1.0.0")
    shutil.copytree(publisher.tree, tmp_path / "old")
    publisher.publish(export, "1.0.1")
    with serve(publisher.tree) as (address, _):
        port = address
        list_releases(Source(address, publisher.root, tmp_path / "cache"))
    place = next((tmp_path / "cache").iterdir())
    with serve(tmp_path / "old") as (address, _):
        assert port != address
        source = Source(address, publisher.root, tmp_path / "cache")
        list_releases(source)  # a new address knows nothing yet; what the first one taught goes there
        mine = next(path for path in (tmp_path / "cache").iterdir() if path != place)
        shutil.rmtree(mine / "metadata")
        shutil.copytree(place / "metadata", mine / "metadata", symlinks=True)
        with pytest.raises(ReleaseError, match="older releases than were seen before"):
            pull_model(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_held_back_for_ever(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imageqx_export.release import signing

    monkeypatch.setattr(signing, "verify", lambda store, keys, pending: None)
    renew(publisher.store, publisher.ring({"timestamp": -0.001}))
    refuse(publisher.tree, publisher.root, tmp_path, "has expired")


def test_mixed_lists(publisher: Publisher, export: Path, tmp_path: Path) -> None:
    publisher.publish(export, "1.0.0")
    publisher.publish(export, "1.0.1")
    metadata = publisher.tree / "metadata"
    shutil.copy(metadata / "2.snapshot.json", metadata / "3.snapshot.json")
    refuse(publisher.tree, publisher.root, tmp_path, "do not belong together")


def test_unknown_versions_name_the_nearest(published: Publisher, tmp_path: Path) -> None:
    error = refuse(published.tree, published.root, tmp_path, r"no release imageqx@1\.0\.1", wanted="imageqx@1.0.1")
    assert error.expected == "1.0.0, 1.1.0-beta.1"
    refuse(published.tree, published.root, tmp_path, "no release other@stable", wanted="other")
    assert find_nearest("2.0", ["1.0.0", "2.0.0", "2.0.1"])[0] == "2.0.1"


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\\b", "C:a", "a\0b", "a\nb", "a/", "ä"]
)
def test_paths_that_leave_the_folder(name: str) -> None:
    with pytest.raises(ReleaseError, match="a path that leaves its folder"):
        refuse_leaving(name)


def test_a_signed_path_that_leaves_the_folder(publisher: Publisher, export: Path, tmp_path: Path) -> None:
    """A publisher who was taken over, or is mistaken, cannot write beside the app's folder either."""
    publisher.publish(export, "1.0.0")
    place = publisher.tree / DESCRIPTION
    value = json.loads(place.read_bytes())
    value["artifacts"][0]["path"] = "../../evil.tflite"
    place.write_text(json.dumps(value))

    sign_again(publisher)
    refuse(publisher.tree, publisher.root, tmp_path, "a path that leaves its folder")
    assert not (tmp_path.parent / "evil.tflite").exists()


def test_a_signed_description_that_is_too_large(publisher: Publisher, export: Path, tmp_path: Path) -> None:
    publisher.publish(export, "1.0.0")
    with (publisher.tree / DESCRIPTION).open("r+b") as file:
        file.truncate(MOST_JSON + 1)
    sign_again(publisher)
    error = refuse(publisher.tree, publisher.root, tmp_path, "the release's description is not valid")
    assert (error.where, error.got) == (DESCRIPTION, f"more than {MOST_JSON:,} bytes")


def test_a_pinned_root_that_is_none(tmp_path: Path, published: Publisher) -> None:
    (tmp_path / "root.json").write_text("{}")
    refuse(published.tree, tmp_path / "root.json", tmp_path, "as from a login page")
    assert Metadata[Root].from_bytes(published.root.read_bytes()).signed.version == 1


def test_a_wish_that_is_none() -> None:
    for text in ("", "@1.0.0", "imageqx@", "../imageqx@1.0.0", "Imageqx"):
        with pytest.raises(ReleaseError, match="not a release's name"):
            parse_wanted(text)

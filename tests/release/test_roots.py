"""A root whose keys never meet the release tree: proposed here, signed there, published when enough have signed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from imageqx_export.errors import ReleaseError
from imageqx_export.release.client import Source
from imageqx_export.release.pull import list_releases
from imageqx_export.release.roots import apply_roots, propose_roots, sign_roots
from imageqx_export.release.signing import read_root
from imageqx_export.release.store import FolderStore
from tests.release.test_signing import FrailStore, Killed
from tests.release.tiny import Publisher, make_publisher, passphrase


@pytest.fixture
def apart(tmp_path: Path) -> tuple[Publisher, Path, Path]:
    """Make keys of which two of three must sign, and put the root's on two other machines."""
    publisher = make_publisher(tmp_path, root_keys=3, threshold=2)
    machines = tmp_path / "one", tmp_path / "other"
    for number, machine in enumerate(machines, 1):
        (machine / "root").mkdir(parents=True)
        shutil.copy(publisher.keys / "root.json", machine)
        (publisher.keys / "root" / f"root-{number}.key").rename(machine / "root" / f"root-{number}.key")
    shutil.rmtree(publisher.keys / "root")
    return publisher, *machines


def list_versions(publisher: Publisher, cache: Path) -> list[str]:
    return [row[1] for row in list_releases(Source(str(publisher.tree), publisher.root, cache))]


def propose(publisher: Publisher, role: str) -> Path:
    propose_roots(publisher.store, publisher.keys, role, publisher.folder / "proposal", passphrase, rounds=1)
    return publisher.folder / "proposal"


def apply(publisher: Publisher, proposal: Path) -> None:
    apply_roots(publisher.store, publisher.keys, proposal, passphrase)


def test_it_is_published_when_enough_have_signed(
    apart: tuple[Publisher, Path, Path], export: Path, tmp_path: Path
) -> None:
    publisher, one, other = apart
    publisher.publish(export, "1.0.0")
    assert list_versions(publisher, tmp_path / "cache") == ["1.0.0"]
    proposal = propose(publisher, "targets")
    for machine, before, have in ((one, 0, 1), (one, 1, 1), (other, 1, 2)):
        with pytest.raises(ReleaseError, match="too few keys of root have signed") as caught:
            apply(publisher, proposal)
        assert caught.value.got == str(before)
        signed = sign_roots(proposal, machine, passphrase)
        assert [(row.version, row.signatures, row.needed) for row in signed] == [(2, have, 2), (3, have, 2)]
    assert not (publisher.tree / "metadata" / "2.root.json").exists()
    publisher.publish(export, "1.0.1")  # the new key is there, and no root names it yet
    apply(publisher, proposal)
    (publisher.keys / "targets-1.key").unlink()
    publisher.publish(export, "1.0.2")
    wanted = ["1.0.2", "1.0.1", "1.0.0"]
    assert list_versions(publisher, tmp_path / "cache") == list_versions(publisher, tmp_path / "fresh") == wanted


def test_what_is_signed_is_said(apart: tuple[Publisher, Path, Path]) -> None:
    publisher, one, _ = apart
    joined, left = sign_roots(propose(publisher, "snapshot"), one, passphrase)
    assert "snapshot gets the key" in joined.changes[1] and "snapshot loses the key" in left.changes[1]
    (renewed,) = sign_roots(propose(publisher, "root"), one, passphrase)
    assert len(renewed.changes) == 1 and renewed.changes[0].startswith("is believed until")


def test_a_root_is_renewed_apart(apart: tuple[Publisher, Path, Path], tmp_path: Path) -> None:
    publisher, one, other = apart
    proposal = propose(publisher, "root")
    for machine in (one, other):
        sign_roots(proposal, machine, passphrase)
    apply(publisher, proposal)
    assert read_root(publisher.store, publisher.root).signed.version == 2
    assert json.loads((publisher.keys / "root.json").read_bytes())["signed"]["version"] == 2
    assert list_versions(publisher, tmp_path / "cache") == []


def test_what_was_changed_on_the_way_is_not_published(apart: tuple[Publisher, Path, Path]) -> None:
    publisher, one, other = apart
    proposal = propose(publisher, "root")
    for machine in (one, other):
        sign_roots(proposal, machine, passphrase)
    file = proposal / "2.root.json"
    content = json.loads(file.read_bytes())
    content["signed"]["roles"]["root"]["threshold"] = 1
    file.write_text(json.dumps(content))
    with pytest.raises(ReleaseError, match="too few keys of root have signed"):
        apply(publisher, proposal)
    file.write_text("{")
    with pytest.raises(ReleaseError, match="not a root"):
        apply(publisher, proposal)
    shutil.rmtree(proposal)
    with pytest.raises(ReleaseError, match="no proposal there"):
        apply(publisher, proposal)


def test_a_strangers_key_signs_nothing(apart: tuple[Publisher, Path, Path], tmp_path: Path) -> None:
    publisher, _, _ = apart
    stranger = make_publisher(tmp_path / "stranger")
    shutil.copy(publisher.keys / "root.json", stranger.keys)
    proposal = propose(publisher, "root")
    with pytest.raises(ReleaseError, match="no key here may sign the proposal"):
        sign_roots(proposal, stranger.keys, passphrase)


def test_an_older_proposal_is_refused(apart: tuple[Publisher, Path, Path], tmp_path: Path) -> None:
    publisher, one, other = apart
    older = shutil.copytree(propose(publisher, "root"), tmp_path / "older")
    for proposal in (older, propose(publisher, "root")):
        for machine in (one, other):
            sign_roots(proposal, machine, passphrase)
    apply(publisher, publisher.folder / "proposal")
    with pytest.raises(ReleaseError, match="does not follow the root that is trusted here"):
        apply(publisher, older)


def test_a_proposal_replaces_nothing_of_others(apart: tuple[Publisher, Path, Path]) -> None:
    publisher, _, _ = apart
    proposal = propose(publisher, "root")
    (proposal / "notes.txt").write_text("theirs")
    with pytest.raises(Exception, match="holds something else than a proposal"):
        propose(publisher, "root")
    assert (proposal / "notes.txt").read_text() == "theirs"


@pytest.mark.long
@pytest.mark.parametrize("at", range(1, 6))
def test_killed_at_any_write_it_goes_on(at: int, apart: tuple[Publisher, Path, Path], tmp_path: Path) -> None:
    publisher, one, other = apart
    proposal = propose(publisher, "timestamp")
    for machine in (one, other):
        sign_roots(proposal, machine, passphrase)
    frail = FrailStore(FolderStore(publisher.tree), at)
    with pytest.raises(Killed):
        apply_roots(frail, publisher.keys, proposal, passphrase)
    assert list_versions(publisher, tmp_path / "cache") == []
    apply(publisher, proposal)
    assert read_root(publisher.store, publisher.root).signed.version == 3
    assert list_versions(publisher, tmp_path / "cache") == list_versions(publisher, tmp_path / "fresh") == []

"""A root whose keys never meet the release tree: proposed here, signed there, published when enough have signed."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.errors import ReleaseError
from imageqx_export.release.client import Source
from imageqx_export.release.keys import open_keys
from imageqx_export.release.proposals import Proposed, read_proposal
from imageqx_export.release.pull import list_releases
from imageqx_export.release.roots import apply_roots, make_next, propose_roots, sign_roots
from imageqx_export.release.signing import read_root
from imageqx_export.release.signing import sign as sign_metadata
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


def sign(proposal: Path, machine: Path) -> list[Proposed]:
    return sign_roots(read_proposal(proposal, machine / "root.json"), machine, passphrase)


def edit(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(file.read_bytes())
    change(content["signed"])
    file.write_text(json.dumps(content))


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
        signed = sign(proposal, machine)
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
    joined, left = sign(propose(publisher, "snapshot"), one)
    assert "snapshot gets the key" in joined.changes[1] and "snapshot loses the key" in left.changes[1]
    (renewed,) = sign(propose(publisher, "root"), one)
    assert len(renewed.changes) == 1 and renewed.changes[0].startswith("is believed until")


def test_a_new_key_is_named_as_ssh_keygen_does(apart: tuple[Publisher, Path, Path]) -> None:
    publisher, one, _ = apart
    (joined, left), new = sign(propose(publisher, "targets"), one), publisher.ring().signers["targets"][1].public_key
    public = bytes.fromhex(new.keyval["public"])
    wire = b"".join(len(part).to_bytes(4, "big") + part for part in (b"ssh-ed25519", public))  # RFC 8709, section 4
    name = "SHA256:" + base64.b64encode(hashlib.sha256(wire).digest()).decode().rstrip("=")
    assert joined.changes[1:] == (f"targets gets the key {name}",)
    assert len(left.changes) == 2 and name not in left.changes[1]


def swap_key(signed: dict[str, Any]) -> None:
    keyid = signed["roles"]["targets"]["keyids"][0]
    signed["keys"][keyid]["keyval"]["public"] = "ab" * 32


def add_key(signed: dict[str, Any]) -> None:
    value = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "ab" * 32}}
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))  # canonical, of what this holds
    signed["keys"][hashlib.sha256(text.encode()).hexdigest()] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swap_key, "a key is not the one that its id says"),
        (add_key, "no role uses a key that is there"),
        (lambda signed: signed["roles"]["targets"]["keyids"].append("0" * 64), "names a key that is not there"),
    ],
)
def test_a_key_in_disguise_is_refused(
    change: Callable[[dict[str, Any]], None], message: str, apart: tuple[Publisher, Path, Path]
) -> None:
    publisher, one, _ = apart
    proposal = propose(publisher, "root")
    edit(proposal / "2.root.json", change)
    before = (proposal / "2.root.json").read_bytes()
    with pytest.raises(ReleaseError, match=message):
        sign(proposal, one)
    assert (proposal / "2.root.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "printed"),
    [
        (lambda signed: signed.update(consistent_snapshot=False), "consistent_snapshot is False, not True"),
        (lambda signed: signed.update(spec_version="1.0.9"), "spec_version is '1.0.9', not "),
        (lambda signed: signed.update(x=[1]), "x is [1], not None"),
        (lambda signed: signed["roles"]["targets"].update(y=2), "targets.y is 2, not None"),
        (lambda signed: next(iter(signed["keys"].values())).update(z=3), "is not what was there under its id"),
        (lambda signed: signed["roles"]["targets"].update(threshold=2), "targets asks for 2 keys, not 1"),
    ],
)
def test_no_change_goes_unsaid(
    change: Callable[[dict[str, Any]], None], printed: str, apart: tuple[Publisher, Path, Path]
) -> None:
    publisher, one, _ = apart
    proposal = propose(publisher, "root")
    edit(proposal / "2.root.json", change)
    (row,) = read_proposal(proposal, one / "root.json").describe()
    assert len(row.changes) == 2 and printed in row.changes[1]


def test_a_root_that_cannot_be_signed_is_refused_as_it_is_read(apart: tuple[Publisher, Path, Path]) -> None:
    publisher, one, _ = apart
    proposal = propose(publisher, "root")
    edit(proposal / "2.root.json", lambda signed: signed.update(x=0.5))  # canonical JSON has no fractions
    with pytest.raises(ReleaseError, match=r"not a root that can be trusted here(.|\n)*2\.root\.json"):
        read_proposal(proposal, one / "root.json")


def test_a_root_that_nobody_signed_is_not_followed(apart: tuple[Publisher, Path, Path], tmp_path: Path) -> None:
    publisher, one, _ = apart
    stranger = make_publisher(tmp_path / "stranger")
    forged = json.loads(stranger.root.read_bytes())["signed"] | {"version": 2}
    honest = (one / "root.json").read_bytes()
    proposal = propose(publisher, "root")
    (proposal / "2.root.json").rename(proposal / "3.root.json")
    edit(proposal / "3.root.json", lambda signed: signed.update(version=3))
    (one / "root.json").write_text(json.dumps({"signed": forged, "signatures": []}))
    with pytest.raises(ReleaseError, match="not a root that can be trusted here") as caught:
        sign(proposal, one)
    assert caught.value.where == str(one / "root.json")
    (one / "root.json").write_bytes(honest)
    signed_by_itself = make_next(read_root(stranger.store, stranger.root), 1, role="root")
    signers = open_keys(stranger.keys, passphrase, ("root",)).signers["root"]
    (proposal / "2.published.json").write_bytes(sign_metadata(signed_by_itself, list(signers)))
    with pytest.raises(ReleaseError, match="not a root that can be trusted here"):
        sign(proposal, one)
    assert (one / "root.json").read_bytes() == honest


def test_an_old_root_is_led_to_the_newest(apart: tuple[Publisher, Path, Path]) -> None:
    publisher, one, other = apart
    for role, newest in (("targets", 1), ("root", 3)):
        proposal = propose(publisher, role)
        for machine in (one, other):
            sign(proposal, machine)
            assert json.loads((machine / "root.json").read_bytes())["signed"]["version"] == newest
        apply(publisher, proposal)
    assert read_root(publisher.store, publisher.root).signed.version == 4


def test_a_root_is_renewed_apart(apart: tuple[Publisher, Path, Path], tmp_path: Path) -> None:
    publisher, one, other = apart
    proposal = propose(publisher, "root")
    for machine in (one, other):
        sign(proposal, machine)
    apply(publisher, proposal)
    assert read_root(publisher.store, publisher.root).signed.version == 2
    assert json.loads((publisher.keys / "root.json").read_bytes())["signed"]["version"] == 2
    assert list_versions(publisher, tmp_path / "cache") == []


def test_what_was_changed_on_the_way_is_not_published(apart: tuple[Publisher, Path, Path]) -> None:
    publisher, one, other = apart
    proposal = propose(publisher, "root")
    for machine in (one, other):
        sign(proposal, machine)
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
        sign(proposal, stranger.keys)


def test_an_older_proposal_is_refused(apart: tuple[Publisher, Path, Path], tmp_path: Path) -> None:
    publisher, one, other = apart
    older = shutil.copytree(propose(publisher, "root"), tmp_path / "older")
    for proposal in (older, propose(publisher, "root")):
        for machine in (one, other):
            sign(proposal, machine)
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


@pytest.mark.parametrize("lost", [2, 3])
def test_a_tree_that_lost_a_root_is_said_to_have(lost: int, apart: tuple[Publisher, Path, Path]) -> None:
    publisher, *machines = apart
    proposal = propose(publisher, "snapshot")
    for machine in machines:
        sign(proposal, machine)
    apply(publisher, proposal)
    path = publisher.tree / "metadata" / f"{lost}.root.json"
    content = path.read_bytes()
    path.unlink()
    keys = sorted(publisher.keys.iterdir())
    with pytest.raises(ReleaseError, match="a published root is missing") as caught:
        propose(publisher, "targets")
    assert caught.value.where == f"{publisher.store.address}/metadata/{lost}.root.json"
    assert "imageqx keys propose" in str(caught.value.remedy)
    assert ("root.json beside the keys" in str(caught.value.remedy)) == (lost == 3)
    assert sorted(publisher.keys.iterdir()) == keys  # no new key is left
    if lost == 3:
        content = (publisher.keys / "root.json").read_bytes()
    path.write_bytes(content)
    propose(publisher, "targets")
    assert (proposal / "4.root.json").is_file()


@pytest.mark.long
@pytest.mark.parametrize("at", range(1, 6))
def test_killed_at_any_write_it_goes_on(at: int, apart: tuple[Publisher, Path, Path], tmp_path: Path) -> None:
    publisher, one, other = apart
    proposal = propose(publisher, "timestamp")
    for machine in (one, other):
        sign(proposal, machine)
    frail = FrailStore(FolderStore(publisher.tree), at)
    with pytest.raises(Killed):
        apply_roots(frail, publisher.keys, proposal, passphrase)
    assert list_versions(publisher, tmp_path / "cache") == []
    apply(publisher, proposal)
    assert read_root(publisher.store, publisher.root).signed.version == 3
    assert list_versions(publisher, tmp_path / "cache") == list_versions(publisher, tmp_path / "fresh") == []

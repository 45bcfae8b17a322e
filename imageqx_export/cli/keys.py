"""The commands about the keys that sign releases."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand, PlainGroup
from imageqx_export.cli.options import OUTPUT
from imageqx_export.errors import ReleaseError

app = typer.Typer(
    cls=PlainGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Replace the keys that sign releases, or sign again.",
)
KEYS = "Keys"

ToOption = Annotated[
    str,
    typer.Option("--to", help="The release tree: a folder, s3://…, gs://….", metavar="ADDRESS", rich_help_panel=OUTPUT),
]
KeysOption = Annotated[
    Path, typer.Option("--keys", help="The folder of the keys that sign.", metavar="DIR", rich_help_panel=KEYS)
]
ProposalArgument = Annotated[Path, typer.Argument(help="The folder of a proposal.", metavar="PROPOSAL")]


@app.command(cls=PlainCommand, epilog="Example: imageqx keys rotate timestamp --keys KEYS --to releases")
def rotate(
    role: Annotated[str, typer.Argument(help="root, targets, snapshot or timestamp.", metavar="ROLE")],
    to: ToOption,
    keys: KeysOption,
) -> None:
    """Make a new key of a role in the place of its oldest one; the root's keys must be there."""
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release.ceremony import rotate_key
    from imageqx_export.release.store import open_store

    show.show_rotated(role, rotate_key(open_store(to), keys, role, ask_passphrase))


@app.command(cls=PlainCommand, epilog="Example: imageqx keys renew --keys KEYS --to releases")
def renew(to: ToOption, keys: KeysOption) -> None:
    """Sign the list of releases again, so that it does not expire; run it by a timer."""
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release import ceremony
    from imageqx_export.release.keys import open_keys
    from imageqx_export.release.store import open_store

    store, ring = open_store(to), open_keys(keys, ask_passphrase)
    ceremony.renew(store, ring)
    show.show_renewed(ring.days)


@app.command(
    cls=PlainCommand,
    epilog="""
    Example: imageqx keys propose targets --keys KEYS --to releases --out proposal
             imageqx keys sign proposal --keys OFFLINE
             imageqx keys apply proposal --keys KEYS --to releases
    """,
)
def propose(
    role: Annotated[str, typer.Argument(help="root, targets, snapshot or timestamp.", metavar="ROLE")],
    to: ToOption,
    keys: KeysOption,
    out: Annotated[Path, typer.Option(help="The folder that is to be signed.", metavar="DIR", rich_help_panel=OUTPUT)],
) -> None:
    """Write an unsigned root with a new key of a role, for whoever has the root's keys on another machine.

    Of root itself the time is renewed for which it is believed.
    """
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release.roots import propose_roots
    from imageqx_export.release.store import open_store

    proposed = propose_roots(open_store(to), keys, role, out, ask_passphrase)
    show.show_proposed(proposed)
    show.show_signed(proposed, out)


@app.command(cls=PlainCommand, epilog="Example: imageqx keys sign proposal --keys OFFLINE")
def sign(
    proposal: ProposalArgument,
    keys: KeysOption,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without a question.", rich_help_panel=KEYS)] = False,
) -> None:
    """Print what a proposal changes, ask, and sign it by the root's keys that are here. It needs no network.

    A new key is printed as ssh-keygen -l prints it: compare it with what whoever proposes it says.
    """
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release.keys import TRUSTED_ROOT_FILE
    from imageqx_export.release.proposals import read_proposal
    from imageqx_export.release.roots import sign_roots

    found = read_proposal(proposal, keys / TRUSTED_ROOT_FILE)
    show.show_proposed(found.describe())
    if not yes:
        confirm("Sign this?")
    signed = sign_roots(found, keys, ask_passphrase)
    show.show_signed(signed, proposal)


@app.command(cls=PlainCommand, epilog="Example: imageqx keys apply proposal --keys KEYS --to releases")
def apply(proposal: ProposalArgument, to: ToOption, keys: KeysOption) -> None:
    """Publish a proposal that enough of the root's keys have signed."""
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release.roots import apply_roots
    from imageqx_export.release.store import open_store

    show.show_applied(apply_roots(open_store(to), keys, proposal, ask_passphrase))


def confirm(question: str) -> None:
    """Ask before something is signed.

    Raises:
        ReleaseError: The answer is no, or there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise ReleaseError("nobody is there to be asked, and nothing is signed", remedy="read the above, then --yes")
    if not typer.confirm(question, err=True):
        raise ReleaseError("nothing is signed")


def ask_passphrase(root: bool) -> str:
    """Return the passphrase of the root's keys, or of the others: from the environment, or by asking."""
    name = "IMAGEQX_ROOT_PASSPHRASE" if root else "IMAGEQX_KEYS_PASSPHRASE"
    if name in os.environ:
        return os.environ[name]
    if not sys.stdin.isatty():
        raise ReleaseError("no passphrase", where="the root's keys" if root else "the keys", remedy=f"set {name}")
    if name not in _ANSWERS:
        from getpass import getpass

        _ANSWERS[name] = getpass(f"Passphrase of the {'root' if root else 'publishing'} keys: ")
    return _ANSWERS[name]


_ANSWERS: dict[str, str] = {}
"""What was asked for once in this process."""

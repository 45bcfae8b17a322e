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

    show.show_proposed(propose_roots(open_store(to), keys, role, out, ask_passphrase), out)


@app.command(cls=PlainCommand, epilog="Example: imageqx keys sign proposal --keys OFFLINE")
def sign(proposal: ProposalArgument, keys: KeysOption) -> None:
    """Sign a proposal by the root's keys that are here; what it changes is printed. It needs no network."""
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release.roots import sign_roots

    show.show_proposed(sign_roots(proposal, keys, ask_passphrase), proposal)


@app.command(cls=PlainCommand, epilog="Example: imageqx keys apply proposal --keys KEYS --to releases")
def apply(proposal: ProposalArgument, to: ToOption, keys: KeysOption) -> None:
    """Publish a proposal that enough of the root's keys have signed."""
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release.roots import apply_roots
    from imageqx_export.release.store import open_store

    show.show_applied(apply_roots(open_store(to), keys, proposal, ask_passphrase))


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

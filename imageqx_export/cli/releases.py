"""The commands about releases: publish, pull, releases, diff, verify."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.keys import KEYS, KeysOption, ToOption, ask_passphrase
from imageqx_export.cli.options import DEFAULT_CHECKPOINT, MODEL, OUTPUT, CheckpointOption, JsonOption
from imageqx_export.errors import ReleaseError, UnknownNameError

if TYPE_CHECKING:
    from imageqx_export.release.client import Source

app = typer.Typer(rich_markup_mode=None)
_PANEL = "Releases"
_TRUST = "Trust"

FromOption = Annotated[
    str, typer.Option("--from", help="The releases' address: https://…, a folder, s3://….", metavar="ADDRESS")
]
RootOption = Annotated[
    Path | None,
    typer.Option(help="The root that is trusted; needed once an address.", metavar="ROOT.JSON", rich_help_panel=_TRUST),
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Ask nothing but what was pulled before.", rich_help_panel=_TRUST)
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure", help="Take http without TLS from other machines too.", rich_help_panel=_TRUST)
]
TimeoutOption = Annotated[
    float, typer.Option(help="Seconds that everything together may take.", min=0.1, max=86400, rich_help_panel=_TRUST)
]


@app.command(
    cls=PlainCommand,
    rich_help_panel=_PANEL,
    epilog="""
    Example: imageqx publish --init-keys --keys KEYS --to releases
             imageqx publish artifacts/imageqx --version 1.0.0 --keys KEYS --to releases
    """,
)
def publish(
    to: ToOption,
    keys: KeysOption,
    artifacts: Annotated[
        Path | None, typer.Argument(help="An exported folder, with manifest.json.", metavar="ARTIFACTS")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Such as 1.2.0 or 1.2.0-beta.1.", rich_help_panel=OUTPUT)] = None,
    channel: Annotated[str, typer.Option(help="stable or beta.", rich_help_panel=OUTPUT)] = "stable",
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    report: Annotated[
        list[Path] | None,
        typer.Option(help="A further file for reports/; several times.", metavar="FILE", rich_help_panel=OUTPUT),
    ] = None,
    history: Annotated[
        list[Path] | None,
        typer.Option(help="A history of imageqx bench, for the latencies.", metavar="JSONL", rich_help_panel=OUTPUT),
    ] = None,
    replace_unfinished: Annotated[
        bool,
        typer.Option(
            "--replace-unfinished", help="Replace what a killed publish of this version left.", rich_help_panel=OUTPUT
        ),
    ] = False,
    init_keys: Annotated[
        bool,
        typer.Option("--init-keys", help="Make the keys and an empty tree first.", rich_help_panel=KEYS),
    ] = False,
    root_keys: Annotated[
        int, typer.Option(help="How many keys the root gets.", min=1, max=16, rich_help_panel=KEYS)
    ] = 1,
    threshold: Annotated[
        int, typer.Option(help="How many of them must sign a new root.", min=1, max=16, rich_help_panel=KEYS)
    ] = 1,
    json: JsonOption = False,
) -> None:
    """Publish an export as a release: plain files that apps' own tools pull, signed as The Update Framework has it.

    A version never changes. Killed anywhere, what was published before stays as it was. Passphrases come from
    IMAGEQX_ROOT_PASSPHRASE and IMAGEQX_KEYS_PASSPHRASE, or are asked for.
    """
    if (artifacts is None) != (version is None) or (artifacts is None and not init_keys):
        raise ReleaseError(
            "nothing to publish",
            expected="ARTIFACTS with --version, or --init-keys, or both",
            remedy="imageqx publish artifacts/imageqx --version 1.0.0 --keys KEYS --to releases",
        )
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release import ceremony
    from imageqx_export.release import publish as stage
    from imageqx_export.release.keys import open_keys
    from imageqx_export.release.store import open_store
    from imageqx_export.support.progress import bar

    store = open_store(to)
    if init_keys:
        ceremony.init_keys(store, keys, ask_passphrase, root_keys=root_keys, threshold=threshold)
        show.show_keys(keys, to)
    if artifacts is None or version is None:
        return
    config = stage.PublishConfig(
        artifacts,
        version,
        checkpoint,
        channel=channel,
        reports=report or (),
        histories=history or (),
        replace_unfinished=replace_unfinished,
    )
    published = stage.publish(config, store, open_keys(keys, ask_passphrase), progress=bar)
    show.show_published(published, to, as_json=json)


@app.command(
    cls=PlainCommand,
    rich_help_panel=_PANEL,
    epilog="""
    Example: imageqx pull imageqx@1.2.0 --format tflite --precision w8a8 \\
                 --from https://models.example/releases --root root.json --out app/src/main/assets/imageqx
    """,
)
def pull(
    release: Annotated[str, typer.Argument(help="MODEL@VERSION, MODEL@stable or MODEL@beta.", metavar="RELEASE")],
    source: FromOption,
    format: Annotated[str, typer.Option(help="onnx, coreml or tflite.", rich_help_panel=MODEL)],
    precision: Annotated[str, typer.Option(help="fp32, fp16, w8 or w8a8.", rich_help_panel=MODEL)],
    out: Annotated[Path, typer.Option(help="The folder that gets the model; what else is there stays.", metavar="DIR")],
    golden: Annotated[
        bool, typer.Option("--golden", help="Take the golden pictures too, for the app's own tests.")
    ] = False,
    verification: Annotated[
        Path | None,
        typer.Option(help="Write what Gradle verifies the release's libraries by, too.", metavar="XML"),
    ] = None,
    root: RootOption = None,
    offline: OfflineOption = False,
    insecure: InsecureOption = False,
    timeout: TimeoutOption = 600,
    json: JsonOption = False,
) -> None:
    """Take a model file of a release into an app's folder; each file is verified, and then whole or not there."""
    from imageqx_export.artifact import Format, Precision
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release import pull as stage
    from imageqx_export.release.names import parse_wanted
    from imageqx_export.support.progress import bar

    if format not in set(Format):
        raise UnknownNameError("format", format, Format)
    if precision not in set(Precision):
        raise UnknownNameError("precision", precision, Precision)
    where = _make_source(source, root, offline, insecure, timeout)
    pulled = stage.pull(
        parse_wanted(release),
        Format(format),
        Precision(precision),
        where,
        out,
        golden=golden,
        verification=verification,
        progress=bar,
    )
    show.show_pulled(pulled, source, as_json=json)


@app.command(
    cls=PlainCommand, rich_help_panel=_PANEL, epilog="Example: imageqx releases --from https://models.example/releases"
)
def releases(
    source: FromOption,
    root: RootOption = None,
    offline: OfflineOption = False,
    insecure: InsecureOption = False,
    timeout: TimeoutOption = 600,
    json: JsonOption = False,
) -> None:
    """List the releases that an address has, the newest first."""
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release.pull import list_releases

    show.show_releases(list_releases(_make_source(source, root, offline, insecure, timeout)), as_json=json)


@app.command(
    cls=PlainCommand,
    rich_help_panel=_PANEL,
    epilog="Example: imageqx diff 1.1.0 1.2.0 --from https://models.example/releases",
)
def diff(
    old: Annotated[str, typer.Argument(help="A version or a channel.", metavar="OLD")],
    new: Annotated[str, typer.Argument(help="Likewise.", metavar="NEW")],
    source: FromOption,
    model: Annotated[str, typer.Option(help="The model's name.", rich_help_panel=MODEL)] = "imageqx",
    root: RootOption = None,
    offline: OfflineOption = False,
    insecure: InsecureOption = False,
    timeout: TimeoutOption = 600,
    json: JsonOption = False,
) -> None:
    """Say what changes between two releases: what would break an app, sizes, scores, latencies, minimum runtimes.

    The exit code is 1 if something would break an app.
    """
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release.diff import compare_releases

    comparison = compare_releases(model, old, new, _make_source(source, root, offline, insecure, timeout))
    show.show_comparison(comparison, as_json=json)
    raise typer.Exit(1 if comparison.breaks else 0)


@app.command(
    cls=PlainCommand,
    rich_help_panel=_PANEL,
    epilog="Example: imageqx verify artifacts/imageqx --rebuild",
)
def verify(
    bundle: Annotated[Path, typer.Argument(help="An export's or a release's folder.", metavar="BUNDLE")],
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Export again from the checkpoint, and compare the bytes.")
    ] = False,
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    json: JsonOption = False,
) -> None:
    """Prove what a bundle says of itself: digests, ModelSpecs against graphs, parity, minimum runtimes.

    The exit code is 1 if anything is wrong. With --rebuild every file must come out byte for byte, or it is said which
    tool has another version here.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from imageqx_export.cli.show import releases as show
    from imageqx_export.release.verify import verify_bundle
    from imageqx_export.support.progress import bar

    verification = verify_bundle(bundle, checkpoint, rebuild=rebuild, progress=bar)
    show.show_verification(verification, as_json=json)
    raise typer.Exit(0 if verification.passed else 1)


def _make_source(address: str, root: Path | None, offline: bool, insecure: bool, timeout: float) -> Source:
    from imageqx_export.release.client import Source

    return Source(address, root=root, offline=offline, insecure=insecure, deadline=timeout)

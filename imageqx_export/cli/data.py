"""The commands below ``imageqx data``: each parses, calls one stage, and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.options import JsonOption

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Check, fuse, import and compare raters' annotations of photos.",
    epilog="Example: imageqx data check ratings.csv && imageqx data labels ratings.csv --out labels.csv",
)

TableArgument = Annotated[
    Path,
    typer.Argument(
        help="A .csv or .parquet file, one row per rater and photo: image, rater, evaluation (an ICD-10 code, no_skin, "
        "healthy_skin or poor_quality), reasons (with ;), and if known patient, split, fitzpatrick.",
        metavar="ANNOTATIONS",
    ),
]
ImagesOption = Annotated[
    Path | None, typer.Option("--images", help="The folder that the table's photos are in.", metavar="DIR")
]
OutOption = Annotated[Path, typer.Option("--out", help="The table to write, .csv or .parquet.", metavar="TABLE")]


@app.command(epilog="Example: imageqx data check ratings.csv --images photos")
def check(annotations: TableArgument, images: ImagesOption = None, json: JsonOption = False) -> None:
    """List every bad row with its line, and count what the table says; exit 1 if a row is bad.

    With --images every photo is decoded.
    """
    from imageqx_export.cli.show import data as show
    from imageqx_export.data import annotations as stage
    from imageqx_export.support.progress import bar

    result = stage.check(annotations, images, bar)
    show.checked(annotations, result, as_json=json)
    raise typer.Exit(1 if result.problems else 0)


@app.command(epilog="Example: imageqx data labels ratings.csv --out labels.csv --soft")
def labels(
    annotations: TableArgument,
    out: OutOption,
    soft: Annotated[
        bool, typer.Option("--soft", help="Add soft labels: the share of raters per label and reason.")
    ] = False,
    images: ImagesOption = None,
    json: JsonOption = False,
) -> None:
    """Fuse the raters of each photo into one label.

    The label is the raters' plurality, every ICD-10 code being a lesion; of labels with as many raters lesion wins,
    then healthy_skin, then no_skin: poor_quality loses every tie. A reason holds if any rater ticked it. Without a
    split column, a hash of the patient's name (or else the photo's) puts about 70 % in train, 15 % in val and 15 % in
    test; no patient is in two.
    """
    from imageqx_export.cli.show import data as show
    from imageqx_export.data import annotated as stage

    fused = stage.read_labels(annotations) if images is None else stage.labels_of(annotations, images)
    stage.write_labels(fused, out, soft=soft)
    show.fused(out, fused, as_json=json)


@app.command("import", epilog="Example: imageqx data import scin downloads/scin --out scin.csv")
def import_(
    name: Annotated[str, typer.Argument(help="Of pad_ufes_20, scin, fitzpatrick17k, plain_folder.", metavar="DATASET")],
    folder: Annotated[Path, typer.Argument(help="The download, laid out as published.", metavar="DIR")],
    out: OutOption,
    json: JsonOption = False,
) -> None:
    """Turn a downloaded public data set, or a folder per class, into annotations; photos' names are relative to DIR."""
    from imageqx_export.cli.show import data as show
    from imageqx_export.data.annotations import summarise, write_ratings
    from imageqx_export.data.readers import import_public

    result = import_public(name, folder)
    write_ratings(result.ratings, out)
    show.imported(out, result, summarise(result.ratings), as_json=json)


@app.command(epilog="Example: imageqx data agreement ratings.csv --scores evaluation.json")
def agreement(
    annotations: TableArgument,
    scores: Annotated[
        Path | None,
        typer.Option(help="A model's F1 per label and reason: the JSON of an evaluation.", metavar="JSON"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Print the F1 between raters, mean and SD over their pairs, per label and reason.

    With --scores, also say which of a model's scores are at expert level: within one SD of the raters' mean, or above.
    """
    from imageqx_export.cli.show import data as show
    from imageqx_export.data.annotated import clean_ratings
    from imageqx_export.evaluation import agreement as stage

    raters = stage.agreement(clean_ratings(annotations))
    model = stage.read_scores(scores) if scores is not None else {}
    show.agreed(raters, model, stage.expert_level(raters, model), as_json=json)

"""The commands below ``imageqx data``: each parses, calls one stage, and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand, PlainGroup
from imageqx_export.cli.options import OUTPUT, ClassFoldersOption, JsonOption

app = typer.Typer(
    cls=PlainGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Check, fuse and import tables of raters' annotations, measure the agreement between raters, and show what "
    "training does to photos.",
    epilog="Example: imageqx data check ratings.csv && imageqx data labels ratings.csv --out labels.csv",
)

TableArgument = Annotated[
    Path,
    typer.Argument(
        help="A .csv or .parquet file with a row per rater and photo. Columns: image, rater, evaluation (an ICD-10 "
        "code, no_skin, healthy_skin or poor_quality), reasons (separated by ;), and, if known, patient, split and "
        "fitzpatrick.",
        metavar="ANNOTATIONS",
        show_default=False,
    ),
]
ImagesOption = Annotated[
    Path | None,
    typer.Option("--images", help="The folder with the table's photos.", metavar="DIR"),
]
OutOption = Annotated[
    Path,
    typer.Option("--out", help="The table to write, .csv or .parquet.", metavar="TABLE", rich_help_panel=OUTPUT),
]


@app.command(cls=PlainCommand, epilog="Example: imageqx data check ratings.csv --images photos")
def check(annotations: TableArgument, images: ImagesOption = None, json: JsonOption = False) -> None:
    """List every invalid row of a table with its line number, and count the labels and reasons.

    With --images, every photo is decoded too. The exit code is 1 if a row is invalid.
    """
    from imageqx_export.cli.show import data as show
    from imageqx_export.data import check as stage
    from imageqx_export.support.progress import bar

    result = stage.check(annotations, images, bar)
    show.show_check(annotations, result, as_json=json)
    raise typer.Exit(1 if result.problems else 0)


@app.command(cls=PlainCommand, epilog="Example: imageqx data labels ratings.csv --out labels.csv --soft")
def labels(
    annotations: TableArgument,
    out: OutOption,
    soft: Annotated[
        bool,
        typer.Option("--soft", help="Add soft labels: each label's and reason's share of raters."),
    ] = False,
    images: ImagesOption = None,
    json: JsonOption = False,
) -> None:
    """Fuse the raters of each photo into one label.

    The label is the one that most raters gave; every ICD-10 code counts as lesion. In a tie lesion wins over
    healthy_skin, that over no_skin, and that over poor_quality. A reason holds if any rater gave it.

    Without a split column, a hash of the patient's name (or else the photo's) assigns about 70 % to train, 15 % to val
    and 15 % to test, so that no patient is in two splits.
    """
    from imageqx_export.cli.show import data as show
    from imageqx_export.data import annotated as stage

    fused = stage.read_labels(annotations) if images is None else stage.read_labels_with_photos(annotations, images)
    stage.write_labels(fused, out, soft=soft)
    show.show_labels(out, fused, as_json=json)


@app.command("import", cls=PlainCommand, epilog="Example: imageqx data import scin downloads/scin --out scin.csv")
def import_(
    name: Annotated[
        str,
        typer.Argument(
            help="pad_ufes_20, scin, fitzpatrick17k, vizwiz, plain_folder, label_studio or redcap.", metavar="DATASET"
        ),
    ],
    folder: Annotated[
        Path,
        typer.Argument(
            help="The downloaded data set, laid out as published; of label_studio and redcap, the exported file.",
            metavar="DIR",
        ),
    ],
    out: OutOption,
    json: JsonOption = False,
) -> None:
    """Convert a public data set, a folder per class or a labelling tool's export to a table of annotations.

    The photos' names in the table are relative to DIR. Label Studio's JSON, JSON-MIN and CSV are read, whatever the
    controls are called: choices are the labels and reasons, and a text is an ICD-10 code. A REDCap CSV has the
    variables image, rater, evaluation and, if known, icd10, patient and fitzpatrick, and check boxes such as
    reasons___blurry.
    """
    from imageqx_export.cli.show import data as show
    from imageqx_export.data.annotations import write_ratings
    from imageqx_export.data.check import summarise
    from imageqx_export.data.readers import import_public

    result = import_public(name, folder)
    write_ratings(result.ratings, out)
    show.show_import(out, result, summarise(result.ratings), as_json=json)


@app.command(cls=PlainCommand, epilog="Example: imageqx data sheet --photos my_photos --out sheet.png")
def sheet(
    photos: ClassFoldersOption = None,
    out: Annotated[Path, typer.Option(help="The PNG to write.", metavar="PNG", rich_help_panel=OUTPUT)] = Path(
        "degradations.png"
    ),
    columns: Annotated[int, typer.Option(min=1, max=20, help="Pictures per kind.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the pictures and of what is done to them.")] = 0,
) -> None:
    """Draw a contact sheet of the degradations that training and evaluate --robustness make, to look at.

    A row per kind of degradation; each picture at the limit of what is still good, at that of poor, and at the worst.
    """
    from imageqx_export.cli.show.console import note
    from imageqx_export.data.sheet import draw_sheet
    from imageqx_export.support.progress import bar

    draw_sheet(photos, out, columns=columns, seed=seed, progress=bar)
    note(f"wrote {out}")


@app.command(cls=PlainCommand, epilog="Example: imageqx data agreement ratings.csv --scores evaluation.json")
def agreement(
    annotations: TableArgument,
    scores: Annotated[
        Path | None,
        typer.Option(help="A model's evaluation.json, to compare with the raters.", metavar="JSON"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure the agreement between raters: F1 per label and reason, mean ± SD over pairs of raters.

    With --scores, also show which of a model's F1 scores are at expert level: at least the raters' mean less one SD.
    """
    from imageqx_export.cli.show import data as show
    from imageqx_export.data.annotated import clean_ratings
    from imageqx_export.evaluation import agreement as stage

    raters = stage.measure_agreement(clean_ratings(annotations))
    model = stage.read_scores(scores) if scores is not None else {}
    show.show_agreement(raters, model, stage.find_expert_level(raters, model), as_json=json)

"""Options that several commands have, and the panels that help lists options in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imageqx_export.errors import UnknownNameError
from imageqx_export.support.shipped import find_shipped

if TYPE_CHECKING:
    from enum import StrEnum

    from imageqx_export.input_form import InputForm

DEFAULT_CHECKPOINT = find_shipped("imageqx.safetensors")


def find_checkpoint(model: str) -> Path:
    """Return where the shipped checkpoint of a model is.

    Raises:
        UnknownNameError: There is no such model.
    """
    from imageqx_export import networks

    networks.spec(model)
    return find_shipped(f"{model}.safetensors")


MODEL, PHOTOS, OUTPUT, QUANTIZATION = "Model", "Photos", "Output", "Quantization"
SCHEDULE, OPTIMIZER = "Schedule", "Optimizer"

CheckpointOption = Annotated[
    Path, typer.Option("--checkpoint", help="The trained weights, as safetensors.", rich_help_panel=MODEL)
]
ModelsCheckpointOption = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        help="The trained weights, as safetensors; by default models/MODEL.safetensors.",
        rich_help_panel=MODEL,
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output instead of tables.", rich_help_panel=OUTPUT)
]
AnnotationsOption = Annotated[
    Path | None,
    typer.Option(
        "--annotations",
        help="A table of raters' annotations, or of labels that imageqx data labels fused; needs --images.",
        metavar="TABLE",
        rich_help_panel=PHOTOS,
    ),
]
ImagesOption = Annotated[
    Path | None,
    typer.Option("--images", help="The folder with the table's photos.", metavar="DIR", rich_help_panel=PHOTOS),
]
ClassFoldersOption = Annotated[
    Path | None,
    typer.Option(
        "--photos",
        help="A folder with lesion/, healthy_skin/ and no_skin/ of good photos, which are degraded in known ways.",
        metavar="DIR",
        rich_help_panel=PHOTOS,
    ),
]
ThresholdsOption = Annotated[
    Path | None,
    typer.Option(
        "--thresholds",
        help="A clinic's own thresholds (imageqx thresholds --thresholds-out), in place of the model's.",
        metavar="JSON",
        rich_help_panel=MODEL,
    ),
]
FormatsOption = Annotated[
    str, typer.Option("--formats", help="File formats, of onnx, coreml, tflite.", metavar="A,B", rich_help_panel=MODEL)
]
BudgetsOption = Annotated[
    Path | None,
    typer.Option(
        "--budgets",
        help="Limits of file size and of accuracy loss, in place of the package's budgets.toml.",
        metavar="TOML",
        rich_help_panel=QUANTIZATION,
    ),
]

HeldOutOption = Annotated[
    int,
    typer.Option(
        "--samples",
        min=1,
        help="Samples to make of --photos or synthetic scenes; of a table all photos of the split are used.",
        rich_help_panel=PHOTOS,
    ),
]

# Of train and finetune, which make their samples alike.
SamplesOption = Annotated[int, typer.Option("--samples", min=1, help="Samples per epoch.", rich_help_panel=SCHEDULE)]
BatchSizeOption = Annotated[
    int,
    typer.Option("--batch-size", min=1, help="Samples per step, of all processes.", rich_help_panel=SCHEDULE),
]
EpochsOption = Annotated[int, typer.Option("--epochs", min=1, help="Epochs to train.", rich_help_panel=SCHEDULE)]
EmaDecayOption = Annotated[
    float,
    typer.Option(
        "--ema-decay",
        min=0,
        max=1,
        help="Decay of the exponential moving average of the weights, which is what is saved; 0 for none.",
        rich_help_panel=OPTIMIZER,
    ),
]
PhotoShareOption = Annotated[
    float,
    typer.Option(
        "--photo-share",
        min=0,
        max=1,
        help="Of the degraded samples, the share made from --photos; the others are made from synthetic scenes.",
        rich_help_panel=PHOTOS,
    ),
]
RatedShareOption = Annotated[
    float,
    typer.Option(
        "--rated-share",
        min=0,
        max=1,
        help="Of all samples, the share that are photos of --annotations, unchanged.",
        rich_help_panel=PHOTOS,
    ),
]
SyntheticOption = Annotated[
    int,
    typer.Option(
        "--synthetic-scenes", "--painted", min=17, help="Synthetic scenes to make samples from.", rich_help_panel=PHOTOS
    ),
]
ValidationSamplesOption = Annotated[
    int,
    typer.Option(
        "--validation-samples", min=1, help="Validation samples, scored after every epoch.", rich_help_panel=PHOTOS
    ),
]
HeldOutSamplesOption = Annotated[
    int,
    typer.Option(
        "--held-out-samples",
        min=1,
        help="Validation samples to choose thresholds on, and as many test samples to measure the result on.",
        rich_help_panel=PHOTOS,
    ),
]
TestSamplesOption = Annotated[
    int,
    typer.Option("--held-out-samples", min=1, help="Test samples to measure the result on.", rich_help_panel=PHOTOS),
]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="Seed of everything that is random.", rich_help_panel=SCHEDULE)
]
FreshOption = Annotated[
    bool,
    typer.Option(
        "--fresh", help="Start over, instead of resuming an interrupted run of --out.", rich_help_panel=SCHEDULE
    ),
]


def use_one_thread_each() -> None:
    """Keep OpenMP to one thread a process or thread of ours, of which there is one per core; before torch is loaded."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def parse_names(kind: str, text: str, known: type[StrEnum]) -> list[str]:
    """Split ``"a,b"`` and check every name, keeping the order and dropping repetitions.

    Raises:
        UnknownNameError: A name is not a member of ``known``; the message lists those that are.
    """
    names = list(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    values = [str(member) for member in known]
    for name in names or [""]:
        if name not in values:
            raise UnknownNameError(kind, name, values)
    return names


def parse_forms(inputs: str, batches: str) -> list[InputForm]:
    """Return every pair of an input and a batch, such as of ``"uint8-nhwc"`` and ``"1,dynamic"``.

    Raises:
        UnknownNameError: One is no input, or neither a number from 1 to 1024 nor ``dynamic``.
    """
    from imageqx_export.input_form import MOST, InputForm, InputKind

    kinds = [InputKind(name) for name in parse_names("input", inputs, InputKind)]
    forms = []
    for name in dict.fromkeys(part.strip().lower() for part in batches.split(",") if part.strip()) or [""]:
        if name != "dynamic" and not (name.isascii() and name.isdigit() and 1 <= int(name[:9]) <= MOST):
            raise UnknownNameError("batch", name, ["a number from 1", f"to {MOST}", "dynamic"])
        forms += [InputForm(kind=kind, batch=None if name == "dynamic" else int(name)) for kind in kinds]
    return list(dict.fromkeys(forms))

"""The checkpoints, recipes and proofs that come with the package: in a clone in ``models/``, in a wheel inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from imageqx_export.errors import CheckpointError

MODELS: Final = Path("models")
_PACKAGE = Path(__file__).parents[1]
PACKAGED: Final = _PACKAGE / "models"
"""Where a wheel has them; a clone has no such folder."""


def find_shipped(name: str) -> Path:
    """Return where a shipped file is: in ``models/`` here, else in the wheel, else in the clone that is installed.

    Args:
        name: The file's, such as ``"imageqx.safetensors"``.

    Returns:
        A path; ``models/NAME`` where there is none, so that an error names the usual place.
    """
    places = (MODELS, PACKAGED, _PACKAGE.parent / MODELS)
    return next((place / name for place in places if (place / name).is_file()), MODELS / name)


def refuse_packaged(checkpoint: Path) -> Path:
    """Return a checkpoint beside which files may be written: not one inside the installed package.

    Raises:
        CheckpointError: It is; an update of the package would delete what was written there.
    """
    if PACKAGED in checkpoint.absolute().parents:
        raise CheckpointError(
            "nothing is written beside the checkpoint that comes with the package",
            where=checkpoint,
            expected="a checkpoint of yours",
            remedy=f"mkdir -p models && cp {checkpoint.with_suffix('')}.* models/, which is then taken, or pass --out",
        )
    return checkpoint

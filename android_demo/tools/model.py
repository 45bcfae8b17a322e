"""Take a model and its manifest for the app's assets, as the Gradle task ``takeModel`` does."""

from __future__ import annotations

import shutil
from pathlib import Path

from android_demo.tools.steps import run_step
from imageqx_export.artifact import Artifact, Format, Precision
from imageqx_export.bundle.manifest import MANIFEST_FILE, read_manifest
from imageqx_export.errors import ArtifactError
from imageqx_export.support.files import digest


def find_artifact(folder: Path, precision: Precision) -> Artifact:
    """Return the manifest's entry of the .tflite file of a precision.

    Raises:
        ParityError: There is no manifest.
        ArtifactError: It has no such file, or the file is not the one that it names.
    """
    for artifact in read_manifest(folder).artifacts:
        if (artifact.format, artifact.precision) == (Format.TFLITE, precision):
            path = folder / artifact.path
            got = digest(path) if path.is_file() else "no such file"
            if got != artifact.sha256:
                raise ArtifactError(
                    "the model is not the exported one",
                    where=path,
                    expected=artifact.sha256,
                    got=got,
                    remedy="imageqx export",
                )
            return artifact
    raise ArtifactError("no such model", where=folder, expected=f"a .tflite of {precision}", remedy="imageqx export")


def is_proved_on_gpu(artifact: Artifact) -> bool:
    """Tell whether a file's proofs let the app try it on a GPU: some say right, of all of it, and none says wrong."""
    proofs = [one for one in artifact.proofs if one.target == "gpu"]
    return any(one.verdict == "right" and one.whole for one in proofs) and all(one.verdict != "wrong" for one in proofs)


def take_model(folder: Path, precision: Precision) -> Path:
    """Copy a model and the manifest into a folder of assets, after a look at the digests; return it.

    The golden self-test goes with a model that the app may try on a GPU.
    """
    artifact = find_artifact(folder, precision)
    golden = list_golden(folder) if is_proved_on_gpu(artifact) else []

    def copy(output: Path) -> None:
        (output / "imageqx").mkdir(parents=True)
        for name in (str(artifact.path), MANIFEST_FILE):
            shutil.copyfile(folder / name, output / "imageqx" / Path(name).name)
        for file in golden:
            target = output / "imageqx" / file.relative_to(folder)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)

    return run_step(f"assets/{precision}", [folder / artifact.path, folder / MANIFEST_FILE, *golden], copy)


def list_golden(folder: Path) -> list[Path]:
    """Return the files of the golden self-test, each the one that the manifest names.

    Raises:
        ArtifactError: One is missing, or another one.
    """
    found = []
    for name, wanted in read_manifest(folder).golden.items():
        path = folder / "golden" / name
        got = digest(path) if path.is_file() else "no such file"
        if got != wanted:
            raise ArtifactError(
                "a golden file is not the exported one", where=path, expected=wanted, got=got, remedy="imageqx export"
            )
        found.append(path)
    return found

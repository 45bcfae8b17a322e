"""A browser as a place where a file can be run: web_demo's page in a headless Chromium, with one runtime a format."""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image

from imageqx_export.artifact import Artifact, Format, Pixels
from imageqx_export.bench.web.answers import read_load_seconds, read_outputs
from imageqx_export.bench.web.browser import RUNTIMES, find_chromium, find_page, make_job, read_page_versions, run_job
from imageqx_export.bench.web.server import serve
from imageqx_export.bundle.manifest import MANIFEST_FILE, read_manifest
from imageqx_export.bundle.runtimes import WEB
from imageqx_export.compat.versions.places import Reply, flatten
from imageqx_export.errors import DeviceError, MeasurementError, ParityError
from imageqx_export.support.folders import temporary_folder

NAME = "web:chromium"
"""How it is asked for."""
MACHINE = "chromium"
_PACKAGES = {"litertjs": "@litertjs/core", "onnxruntime-web": "onnxruntime-web"}


class WebPlace:
    """The runtime of a format in a fresh headless Chromium, of the version that web_demo's built page has.

    Args:
        format: ONNX or TFLite.
    """

    machine = MACHINE

    def __init__(self, format: Format) -> None:
        self.format, self.runtime = format, RUNTIMES[format]
        self.variant = WEB[self.runtime]
        try:
            self.version = read_page_versions(find_page())[self.runtime]
        except DeviceError:
            self.version = "0"
        self.app = f"{_PACKAGES[self.runtime]}@{self.version}"

    def prepare(self) -> None:
        """See that there are a browser and a page.

        Raises:
            DeviceError: There is none.
        """
        find_chromium()
        read_page_versions(find_page())

    def ask(self, path: Path, pixels: Pixels) -> Reply:
        """Run an export's file in a fresh browser; of others the page does not know what goes in."""
        try:
            artifact = _find_artifact(path)
        except ParityError as error:
            return Reply(unavailable=f"the page opens files of an export alone: {flatten(error)}")
        with temporary_folder("compat") as scratch:
            pictures = _write_folder(scratch, path, pixels)
            with serve(find_page(), scratch) as served:
                try:
                    answer = run_job(find_chromium(), served, make_job("outputs", artifact, pictures=pictures))
                    outputs = read_outputs(answer, artifact.spec.outputs)
                    return Reply(load_seconds=read_load_seconds(answer), outputs=outputs)
                except MeasurementError as error:
                    return Reply(failed=flatten(error))


def _find_artifact(path: Path) -> Artifact:
    for artifact in read_manifest(path.parent).artifacts:
        if str(artifact.path) == path.name:
            return artifact
    raise ParityError("the manifest does not have it", where=path)


def _write_folder(folder: Path, path: Path, pixels: Pixels) -> list[str]:
    """Lay out what the page reads, and return the pictures' names in ``golden/``."""
    shutil.copyfile(path, folder / path.name)
    shutil.copyfile(path.parent / MANIFEST_FILE, folder / MANIFEST_FILE)
    (folder / "golden").mkdir()
    names = [f"{number}.png" for number in range(len(pixels))]
    for name, picture in zip(names, pixels, strict=True):
        Image.fromarray(picture).save(folder / "golden" / name)
    return names

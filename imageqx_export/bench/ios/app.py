"""Build and sign the small app that coremltools runs models with on a phone."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from imageqx_export.bench.ios.phones import Phone
from imageqx_export.bench.ios.xcrun import Tools
from imageqx_export.errors import DeviceError, UnavailableError
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.libraries import name_extra

BUILD_TIMEOUT = 900
TEAM, BUNDLE = "IMAGEQX_IOS_TEAM", "IMAGEQX_IOS_BUNDLE"


class Signing(Frozen):
    """The signer of the runner, as a phone runs nothing unsigned.

    Args:
        team: The ten characters of an Apple developer team; a free account has one too.
        bundle: The app's identifier; by default one that no other team has.
    """

    team: str
    bundle: str = ""

    @property
    def identifier(self) -> str:
        """The app's bundle identifier."""
        return self.bundle or f"imageqx.modelrunner.{self.team.lower()}"


def read_signing(environment: Mapping[str, str]) -> Signing:
    """Read who signs the runner from ``IMAGEQX_IOS_TEAM`` and, if it is set, ``IMAGEQX_IOS_BUNDLE``.

    Args:
        environment: Such as ``os.environ``.

    Raises:
        DeviceError: The team is missing, or one of them is not of the form that Xcode takes.
    """
    team, bundle = environment.get(TEAM, ""), environment.get(BUNDLE, "")
    if not re.fullmatch(r"[A-Z0-9]{10}", team):
        raise DeviceError(
            "nobody signs the runner" if not team else "not an Apple developer team",
            where=TEAM,
            expected="ten characters, A to Z and 0 to 9",
            got=team or "nothing",
            remedy=f"export {TEAM}=… (Xcode > Settings > Accounts; a free Apple account has a team too)",
        )
    if bundle and not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", bundle):
        raise DeviceError("not a bundle identifier", where=BUNDLE, expected="such as org.clinic.runner", got=bundle)
    return Signing(team=team, bundle=bundle)


class Place(Frozen):
    """The place of the runner for one benchmark: the phone, the folder with the built app, who signed it."""

    phone: Phone
    folder: Path
    signing: Signing


def import_coremltools() -> None:
    """Import coremltools without the warnings that its source gives when it is compiled first, and hide its bars."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        remote: Any = importlib.import_module("coremltools.models.ml_program.experimental.remote_device")
    # Two bars a prediction; tqdm itself is asked too late, at its import, whether it shall show any.
    remote._tqdm = SimpleNamespace(tqdm=partial(importlib.import_module("tqdm").tqdm, disable=True))


def find_workspace() -> Path:
    """Find the runner's Xcode workspace inside coremltools.

    Raises:
        UnavailableError: coremltools is missing, or is the build for another system, which leaves the runner out.
    """
    found = importlib.util.find_spec("coremltools")
    if found is None or not found.submodule_search_locations:
        raise UnavailableError("coremltools is not installed", remedy=name_extra("coreml"))
    path = Path(next(iter(found.submodule_search_locations))) / "modelrunner" / "ModelRunner.xcworkspace"
    if not path.is_dir():
        raise UnavailableError(
            "this coremltools has no runner for phones",
            expected=str(path),
            remedy="pip install --force-reinstall --only-binary=:all: coremltools==9.0, on macOS",
        )
    return path


def make_build_command(place: Place, tools: Tools) -> list[str]:
    """Return the command that builds and signs the runner; the same settings as coremltools' own.

    Source: ``remote_device._AppBuilder.build``.
    """
    return [
        str(tools.xcodebuild),
        "-workspace",
        str(find_workspace()),
        "-scheme",
        "modelrunner",
        "-sdk",
        "iphoneos",
        "-destination",
        f"platform=iOS,id={place.phone.udid}",
        "-configuration",
        "Release",
        "-allowProvisioningUpdates",
        "-allowProvisioningDeviceRegistration",
        f"SYMROOT={place.folder / place.phone.udid}",
        "CODE_SIGN_STYLE=Automatic",
        f"DEVELOPMENT_TEAM={place.signing.team}",
        f"PRODUCT_BUNDLE_IDENTIFIER={place.signing.identifier}",
    ]


def build(place: Place, tools: Tools) -> Path:
    """Build the runner where coremltools looks for it, and return the app.

    coremltools would build it too, but through a shell, with unquoted paths, and it throws away what Xcode says.

    Raises:
        DeviceError: Xcode cannot build or sign it; the message has Xcode's own error lines.
    """
    command = make_build_command(place, tools)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise DeviceError("Xcode did not finish building the runner", expected=f"within {BUILD_TIMEOUT} s") from error
    app = next((place.folder / place.phone.udid).rglob("*.app"), None)
    if done.returncode or app is None:
        lines = (done.stdout + done.stderr).splitlines()
        errors = [line.strip() for line in lines if "error:" in line] or [f"exit code {done.returncode}, app: {app}"]
        raise DeviceError(
            "Xcode cannot build the runner",
            where=" ".join(command),
            got="\n".join(errors[:5]),
            remedy="see that Xcode > Settings > Accounts lists the team; IMAGEQX_IOS_BUNDLE=your.own.name if the"
            " bundle identifier is taken",
        )
    return app


@contextmanager
def extend_path(tools: Tools) -> Iterator[None]:
    """Let coremltools find devicectl and xcodebuild, which it wants on PATH itself."""
    saved = os.environ.get("PATH", os.defpath)
    folders = dict.fromkeys(str(tool.parent) for tool in (tools.devicectl, tools.xcodebuild))
    os.environ["PATH"] = os.pathsep.join([*folders, saved])
    try:
        yield
    finally:
        os.environ["PATH"] = saved

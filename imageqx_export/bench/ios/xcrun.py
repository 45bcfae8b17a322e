"""Run Xcode's command-line tools: find them, read what ``devicectl`` writes, say in words what went wrong.

``devicectl`` promises its JSON file to programs and nothing else, so nothing it prints is read.

Source: ``xcrun devicectl help``; the shape of its errors from recorded runs of versions 341 to 518.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from imageqx_export.errors import DeviceError, UnavailableError
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.processes import take_last_line
from imageqx_export.support.untrusted import read_json

TIMEOUT = 60
"""Seconds that devicectl may take for one command; it refuses fewer than 5."""

INSTALL_XCODE = "install Xcode 15 or later, start it once, then: sudo xcode-select --switch /Applications/Xcode.app"


class Tools(Frozen):
    """The paths of Xcode's tools.

    Args:
        devicectl: Its full path.
        xcodebuild: Likewise.
        xcode: Xcode's version and build, such as ``"16.3 (16E140)"``.
    """

    devicectl: Path
    xcodebuild: Path
    xcode: str


class Explanation(NamedTuple):
    """A pattern of devicectl's messages, with what it means and what to do; the first that fits is taken."""

    pattern: re.Pattern[str]
    what: str
    remedy: str


def _explain(pattern: str, what: str, remedy: str) -> Explanation:
    return Explanation(re.compile(pattern, re.IGNORECASE | re.DOTALL), what, remedy)


# The one table of what goes wrong on a phone.
REASONS = (
    _explain(
        r"FBSOpenApplicationErrorDomain error 7\b|could not be, unlocked|device is locked|\bLocked\b",
        "the phone is locked",
        "unlock it, set Auto-Lock to Never while it measures, and run again",
    ),
    _explain(
        r"FBSOpenApplicationErrorDomain error 3\b|explicitly trusted by the user|invalid code signature",
        "the phone does not trust the developer who signed the runner",
        "on the phone: Settings > General > VPN & Device Management > the developer > Trust; then run again",
    ),
    _explain(
        r"developer mode",
        "developer mode is off",
        "on the phone: Settings > Privacy & Security > Developer Mode, restart, confirm; then run again",
    ),
    _explain(
        r"developer disk image|\bDDI\b",
        "Xcode's developer services do not run on the phone",
        "unlock the phone, open Xcode > Window > Devices and Simulators, wait until it is prepared; then run again",
    ),
    _explain(
        r"not paired|\bunpaired\b|must be paired|trust this computer",
        "the phone does not trust this Mac",
        "unlock it, connect it by cable and tap Trust, or: xcrun devicectl manage pair --device UDID",
    ),
    _explain(
        r"maximum number of (?:installed )?apps|IXUserPresentableErrorDomain error 14\b",
        "the phone holds as many apps of a free developer account as it may",
        "delete one of them on the phone, and run again",
    ),
    _explain(
        r"ControlChannelConnectionError|connection was (?:invalidated|interrupted)|transport error|timed out"
        r"|disconnected|was not found|RemotePairingError|CoreDeviceError error (?:1000|4000)\b",
        "the phone does not answer",
        "connect it by cable, unlock it, see that `xcrun devicectl list devices` shows it; then run again",
    ),
)


def find_tools() -> Tools:
    """Find devicectl and xcodebuild.

    Raises:
        UnavailableError: This is not macOS, or Xcode is missing, or ``xcode-select`` points at something without them.
    """
    if platform.system() != "Darwin":
        raise UnavailableError(
            "an iPhone can be measured from macOS alone",
            expected="macOS with Xcode 15 or later",
            got=platform.system(),
            remedy="imageqx bench --target host, which runs the same files here",
        )
    if shutil.which("xcrun") is None:
        raise UnavailableError("Xcode is not installed", expected="xcrun on PATH", remedy=INSTALL_XCODE)
    devicectl, xcodebuild = (Path(_read_output("xcrun", "--find", name)) for name in ("devicectl", "xcodebuild"))
    words = _read_output(str(xcodebuild), "-version").split()  # Xcode 16.3 Build version 16E140
    version, build = (words[words.index(word) + 1] if word in words[:-1] else "?" for word in ("Xcode", "version"))
    return Tools(devicectl=devicectl, xcodebuild=xcodebuild, xcode=f"{version} ({build})")


def _read_output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode or not done.stdout.strip():
        raise UnavailableError(
            "Xcode's tools cannot be used",
            where=" ".join(command),
            got=take_last_line(done.stderr) or f"exit code {done.returncode}",
            remedy="sudo xcodebuild -license accept" if "license" in done.stderr else INSTALL_XCODE,
        )
    return done.stdout.strip()


def run_devicectl(*arguments: str, phone: str | None = None, timeout: int = TIMEOUT) -> dict[str, Any]:
    """Run ``xcrun devicectl`` and return the whole of its JSON: ``info`` and ``result``.

    Args:
        *arguments: The subcommand and its own arguments, such as ``"list", "devices"``.
        phone: The phone's identifier, for ``--device``.
        timeout: Seconds.

    Raises:
        DeviceError: It failed; the message says what to do on the phone.
    """
    with temporary_folder("devicectl") as folder:
        output = folder / "devicectl.json"
        command = make_devicectl_command(arguments, phone, output, timeout)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout + 15, check=False)
        except subprocess.TimeoutExpired as error:
            raise make_error(f"timed out after {timeout + 15} s", where=" ".join(command[:-2])) from error
        answer = _read(output)
    if done.returncode or not isinstance(answer.get("result"), dict):
        reason = (
            " ".join(list_reasons(answer.get("error"))) or take_last_line(done.stderr) or f"exit code {done.returncode}"
        )
        raise make_error(reason, where="xcrun devicectl " + " ".join(arguments))
    return answer


def make_devicectl_command(arguments: Sequence[str], phone: str | None, output: Path, timeout: int) -> list[str]:
    """Return the command line; the JSON file comes last."""
    device = [] if phone is None else ["--device", phone]
    options = ["--quiet", "--timeout", str(timeout), "--json-output", str(output)]
    return ["xcrun", "devicectl", *arguments, *device, *options]


def _read(output: Path) -> dict[str, Any]:
    try:
        answer = read_json(output)
    except (OSError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}


def list_reasons(error: object) -> Iterator[str]:
    """Yield what an ``error`` of devicectl's says, outermost first, each with its domain and code."""
    while isinstance(error, dict):
        info = error.get("userInfo")
        info = info if isinstance(info, dict) else {}
        keys = ("NSLocalizedDescription", "NSLocalizedFailureReason", "NSLocalizedRecoverySuggestion", "NSDescription")
        texts = [info[key]["string"] for key in keys if isinstance(info.get(key), dict) and "string" in info[key]]
        yield " ".join([*map(str, texts), f"({error.get('domain', '?')} error {error.get('code', '?')})"])
        underlying = info.get("NSUnderlyingError")
        error = underlying.get("error") if isinstance(underlying, dict) else None


def make_error(text: str, *, where: str) -> DeviceError:
    """Return the error for what devicectl, or coremltools on its behalf, said."""
    for known in REASONS:
        if known.pattern.search(text):
            return DeviceError(known.what, where=where, got=text, remedy=known.remedy)
    remedy = "xcrun devicectl list devices; unlock the phone, and run again"
    return DeviceError("the phone refused", where=where, got=text, remedy=remedy)

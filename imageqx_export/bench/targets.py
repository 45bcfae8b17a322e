"""Turn the text of ``--target`` into a target: one class a kind, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imageqx_export.bench.model import Target
from imageqx_export.errors import MeasurementError, UnknownNameError

CPUS = ("cortex-a53", "cortex-a76", "i8mm")
FORMS = ("host", *(f"emulated:{cpu}" for cpu in CPUS), "adb", "adb:SERIAL", "ios", "ios:UDID", "web:chromium")


@dataclass(frozen=True)
class AdbOptions:
    """The options for attached Android phones.

    Attributes:
        benchmark_model: LiteRT's ``benchmark_model`` for arm64, or None.
        fixed_performance: Whether the phone's clock is held while it is measured.
    """

    benchmark_model: Path | None = None
    fixed_performance: bool = False


def _make_host(rest: str, options: AdbOptions) -> Target | None:
    from imageqx_export.bench.host.target import HostTarget

    return None if rest else HostTarget()


def _make_emulated(rest: str, options: AdbOptions) -> Target | None:
    if rest not in CPUS:
        return None
    from imageqx_export.bench.emulator.target import EmulatedTarget

    return EmulatedTarget(rest)


def _make_adb(rest: str, options: AdbOptions) -> Target | None:
    from imageqx_export.bench.android.target import AdbTarget

    return AdbTarget(rest or None, options.benchmark_model, options.fixed_performance)


def _make_ios(rest: str, options: AdbOptions) -> Target | None:
    from imageqx_export.bench.ios.target import IosTarget

    return IosTarget(rest)


def _make_web(rest: str, options: AdbOptions) -> Target | None:
    if rest != "chromium":
        return None
    from imageqx_export.bench.web.target import WebTarget

    return WebTarget()


KINDS: dict[str, Callable[[str, AdbOptions], Target | None]] = {
    "host": _make_host,
    "emulated": _make_emulated,
    "adb": _make_adb,
    "ios": _make_ios,
    "web": _make_web,
}
"""Per kind, what makes its target of the text after the colon; None where that text is not one of its forms."""


def make_target(text: str, options: AdbOptions | None = None) -> Target:
    """Return the target that ``text`` names.

    Args:
        text: Such as ``"host"``, ``"emulated:cortex-a76"`` or ``"adb:0123456789"``.
        options: For attached Android phones.

    Raises:
        UnknownNameError: It names none; the message lists the known forms.
    """
    kind, colon, rest = text.partition(":")
    target = KINDS[kind](rest, options or AdbOptions()) if kind in KINDS and bool(colon) == bool(rest) else None
    if target is None:
        raise UnknownNameError("target", text, FORMS)
    return target


def make_targets(texts: Sequence[str], options: AdbOptions) -> tuple[Target, ...]:
    """Return a target for each text, each once.

    Raises:
        UnknownNameError: A text names none.
        MeasurementError: There are options for Android phones and no such target.
    """
    targets = tuple(make_target(text, options) for text in dict.fromkeys(texts))
    if options != AdbOptions() and not any(text.partition(":")[0] == "adb" for text in texts):
        raise MeasurementError(
            "--benchmark-model and --fixed-performance are for attached Android phones",
            expected="--target adb",
            got=", ".join(texts),
        )
    return targets

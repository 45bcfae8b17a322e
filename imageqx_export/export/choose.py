"""Choose: which formats can be written on this machine, and which of them take photos as they are asked to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imageqx_export.artifact import Format
from imageqx_export.errors import UnavailableError
from imageqx_export.export.convert import find_missing, load_exporter
from imageqx_export.input_form import InputForm
from imageqx_export.support.libraries import name_extra

if TYPE_CHECKING:
    from imageqx_export.export.stage import ExportConfig
    from imageqx_export.networks.base import Network


def find_available(config: ExportConfig) -> tuple[list[Format], dict[str, str]]:
    """Return the formats that can be written here, and why the others cannot.

    Raises:
        UnavailableError: One cannot and ``allow_missing`` is off, or none can.
    """
    unavailable = {str(f): reason for f in config.formats if (reason := find_missing(f))}
    wanted = [f for f in config.formats if str(f) not in unavailable]
    if unavailable and (not config.allow_missing or not wanted):
        raise UnavailableError(
            "cannot export " + ", ".join(unavailable),
            got="; ".join(unavailable.values()),
            remedy=name_extra(",".join(unavailable))
            + (f", or --allow-missing to export {', '.join(wanted)}" if wanted else ""),
        )
    return wanted, unavailable


def choose_forms(
    config: ExportConfig, formats: Sequence[Format], network: Network
) -> tuple[list[tuple[Format, InputForm]], dict[str, str]]:
    """Return which formats take photos in which of the forms, and why the others do not.

    Raises:
        UnavailableError: One does not and ``allow_missing`` is off, or none does.
    """
    asked = {(f, form): load_exporter(f).explain_refused(form, network) for f in formats for form in config.forms}
    wanted = [pair for pair, reason in asked.items() if reason is None]
    refused = {
        f"{f}{form.suffix}": f"{f} of {form.name}: {reason}"
        for (f, form), reason in asked.items()
        if reason is not None
    }
    if refused and (not config.allow_missing or not wanted):
        rest = ", ".join(f"{f}{form.suffix}" for f, form in wanted)
        raise UnavailableError(
            "cannot export " + ", ".join(refused),
            got="; ".join(refused.values()),
            remedy=f"--allow-missing to export {rest}" if wanted else "another --batch or --input",
        )
    return wanted, refused

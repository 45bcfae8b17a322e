"""The list of runtimes and versions that are asked, ``runtimes.toml``, and the wheels of each, ``wheels.txt``."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from imageqx_export.artifact import Format
from imageqx_export.compat.environments import Environment
from imageqx_export.errors import UnknownNameError
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import read_toml

LIST = Path(__file__).with_name("runtimes.toml")
WHEELS = Path(__file__).with_name("wheels.txt")
EMULATED = "emulated"
"""Begins the name of an emulated phone, such as ``emulated:cortex-a53``, which runs the project's own versions."""
_PIN = re.compile(r"^(?P<pin>[A-Za-z0-9._-]+==[^ ;\\]+)")
Version = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+){1,2}$")]


class RuntimeLine(Frozen):
    """One runtime of the list.

    Args:
        distribution: The name of its wheels.
        format: What it takes.
        variants: The ways to run a file that are tried.
        app: What an app depends on to have it; "" where there is nothing.
        needs: The wheels that it imports, pinned.
        versions: The oldest first.
        only: Per variant that not all versions are asked about, those that are.
    """

    distribution: str
    format: Format
    variants: tuple[str, ...]
    app: str
    needs: tuple[str, ...]
    versions: tuple[Version, ...]
    only: dict[str, tuple[Version, ...]] = Field(default_factory=dict)


class Catalogue(Frozen):
    """``runtimes.toml``.

    Args:
        python: The version of Python that all wheels are for.
        runtimes: By name.
    """

    schema_version: Literal[1]
    python: str
    runtimes: dict[str, RuntimeLine]


@dataclass(frozen=True)
class Release:
    """One version of one runtime, and its environment.

    Attributes:
        runtime: Its name.
        version: Of the runtime.
        format: What it takes.
        variants: The ways to run a file with it.
        app: What an app depends on to have it; "" where there is nothing.
        requirements: Its wheels, pinned.
    """

    runtime: str
    version: str
    format: Format
    variants: tuple[str, ...]
    app: str
    requirements: tuple[str, ...]

    @property
    def environment(self) -> Environment:
        """Where it runs; made by its ``prepare``."""
        pins = read_pins()
        lines = "".join(f"{pins[pin]}\n" for pin in self.requirements)
        return Environment(f"{self.runtime}-{self.version}", lines, python=read_catalogue().python)


@cache
def read_catalogue() -> Catalogue:
    """Read ``runtimes.toml``, a file of the package."""
    return Catalogue.model_validate(read_toml(LIST))


@cache
def read_pins() -> dict[str, str]:
    """Read ``wheels.txt``: per ``name==version``, the line with its hashes."""
    lines = WHEELS.read_text().replace("\\\n", " ").splitlines()
    return {match["pin"]: " ".join(line.split()) for line in lines if (match := _PIN.match(line))}


def list_releases() -> list[Release]:
    """Return every version of every runtime, the oldest first."""
    return [
        Release(
            runtime=name,
            version=version,
            format=line.format,
            variants=tuple(variant for variant in line.variants if version in line.only.get(variant, (version,))),
            app=f"{line.app}:{version}" if line.app else "",
            requirements=(f"{line.distribution}=={version}", *line.needs),
        )
        for name, line in read_catalogue().runtimes.items()
        for version in line.versions
    ]


@dataclass(frozen=True)
class Choice:
    """What is asked for.

    Attributes:
        releases: Versions of runtimes.
        phones: Emulated phones.
        others: Names of what has one version, which is built here: the browser, the AAR's library.
    """

    releases: tuple[Release, ...]
    phones: tuple[str, ...]
    others: tuple[str, ...]


def choose(wanted: Sequence[str], phones: Collection[str], usual: Sequence[str], others: Collection[str]) -> Choice:
    """Return the releases, emulated phones and other places that are asked for.

    Args:
        wanted: ``"onnxruntime"`` for all of its versions, ``"litert==2.1"`` for those that begin so,
            ``"emulated:cortex-a53"``, or one of ``others``; empty for every version, the usual phones and all others.
        phones: The emulated phones that there are.
        usual: Those that are asked where nothing is named.
        others: The names of other places.

    Raises:
        UnknownNameError: There is no such runtime, version or phone.
    """
    known = list_releases()
    if not wanted:
        return Choice(tuple(known), tuple(usual), tuple(others))
    releases: list[Release] = []
    emulated: list[str] = []
    for text in wanted:
        name, _, version = text.strip().partition("==")
        if text.strip() in others:
            continue
        if name.startswith(f"{EMULATED}:"):
            phone = name.removeprefix(f"{EMULATED}:")
            if phone not in phones:
                raise UnknownNameError("emulated CPU", phone, phones)
            emulated.append(phone)
            continue
        named = [release for release in known if release.runtime == name]
        if not named:
            elsewhere = [*(f"{EMULATED}:{phone}" for phone in phones), *others]
            raise UnknownNameError("runtime", name, [*read_catalogue().runtimes, *elsewhere])
        fitting = [release for release in named if f"{release.version}.".startswith(f"{version}.") or not version]
        if not fitting:
            raise UnknownNameError(f"version of {name}", version, [release.version for release in named])
        releases += fitting
    named_others = tuple(other for other in others if other in (text.strip() for text in wanted))
    return Choice(tuple(dict.fromkeys(releases)), tuple(dict.fromkeys(emulated)), named_others)

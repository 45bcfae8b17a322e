"""Check a string catalogue: three languages, all translated, the same format specifiers, the keys of the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

LANGUAGES = ("da", "en", "es")
PLURALS = {"da": {"one", "other"}, "en": {"one", "other"}, "es": {"many", "one", "other"}}
"""The plural forms of each language; source: Unicode CLDR 46, cardinal numbers."""
PREFIXES = ("hint_", "label_", "reason_", "problem_")
"""Keys that are put together from a name: of the ModelSpec, or of the app's own problems."""

_SPECIFIER = re.compile(r"%(?:(\d)\$)?(lld|ld|d|@|lf|f|s)|%%")
_LITERAL = re.compile(r'"((?:[^"\\]|\\\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|\\.)*)"')
_KEY = re.compile(r"[a-z]+(_[a-z0-9]+)*( %s)*")
_SHOWN = re.compile(r"\b(?:Text|Button|Label|Link)\((?!verbatim)")


def find_problems(catalogue: dict[str, Any]) -> list[str]:
    """List what is wrong with a catalogue by itself."""
    problems = [] if catalogue.get("sourceLanguage") == "en" else ["the source language is not en"]
    for key, entry in catalogue["strings"].items():
        localizations = entry.get("localizations", {})
        if set(localizations) != set(LANGUAGES):
            problems.append(f"{key}: {', '.join(sorted(localizations)) or 'nothing'}, expected {', '.join(LANGUAGES)}")
        for language, one in sorted(localizations.items()):
            problems += [f"{key}, {language}: {why}" for why in _check_unit(key, language, one)]
    return problems


def _check_unit(key: str, language: str, localization: dict[str, Any]) -> Iterator[str]:
    plural = localization.get("variations", {}).get("plural")
    units = plural if plural is not None else {"": localization}
    if plural is not None and set(plural) != PLURALS.get(language):
        yield f"plural forms {', '.join(sorted(plural))}"
    for form, holder in units.items():
        unit = holder.get("stringUnit", {})
        value = unit.get("value", "")
        if unit.get("state") != "translated" or not value.strip():
            yield f"not translated {form}".strip()
        elif list_specifiers(value) != list_specifiers(key):
            yield f"{value!r} has other format specifiers than the key"
        if value != value.strip():
            yield f"{value!r} begins or ends with a space"


def list_specifiers(text: str) -> list[str]:
    """Return a text's format specifiers in the order of their arguments."""
    found = [one for one in _SPECIFIER.finditer(text) if one[0] != "%%"]
    return [one[2] for _, one in sorted(enumerate(found, 1), key=lambda pair: int(pair[1][1] or pair[0]))]


def find_key_problems(catalogue: dict[str, Any], sources: Iterable[str], names: Iterable[str]) -> list[str]:
    """Compare a catalogue's keys with the code's.

    Args:
        catalogue: The catalogue.
        sources: The app's Swift files.
        names: The keys that are put together from names, such as ``"hint_blurry"``; each must be there.
    """
    known = {_SPECIFIER.sub("%s", key): key for key in catalogue["strings"]}
    used, shown = set(), set()
    for source in sources:
        for line in source.splitlines():
            code = line.partition("//")[0]
            # An interpolation stands for a specifier, of whatever type.
            literals = {
                re.sub(r"\\\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", "%s", one) for one in _LITERAL.findall(code)
            }
            used |= literals
            if _SHOWN.search(code):
                shown |= {one for one in literals if _KEY.fullmatch(one) and ("_" in one or one in known)}
    wanted = set(names)
    missing = [f"{one}: shown, and not in the catalogue" for one in sorted(shown - set(known))]
    missing += [f"{one}: named, and not in the catalogue" for one in sorted(wanted - set(known))]
    unused = {one for one in known if one not in used and one not in wanted}
    return missing + [f"{one}: in the catalogue, and used nowhere" for one in sorted(unused)]


def read_catalogue(path: Path) -> dict[str, Any]:
    """Read an ``.xcstrings``; a key that comes twice is refused.

    Raises:
        ValueError: It is no JSON, or has a key twice.
    """

    def refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            raise ValueError(f"{max(keys, key=keys.count)} comes twice")
        return dict(pairs)

    catalogue: dict[str, Any] = json.loads(path.read_text(), object_pairs_hook=refuse_twice)
    return catalogue

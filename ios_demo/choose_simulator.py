#!/usr/bin/env python3
"""Print the id of an iPhone's simulator, of the newest iOS, out of ``simctl list devices available --json``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path


def choose(listed: dict) -> str:
    """Return the id of the first iPhone of the newest iOS.

    Raises:
        LookupError: There is none.
    """
    found = []
    for runtime, devices in listed.get("devices", {}).items():
        version = re.search(r"SimRuntime\.iOS-([\d-]+)$", runtime)
        phones = [one["udid"] for one in devices if one.get("isAvailable") and one["name"].startswith("iPhone")]
        if version and phones:
            found.append((tuple(int(part) for part in version[1].split("-")), phones[0]))
    if not found:
        raise LookupError("no simulator of an iPhone is installed; xcodebuild -downloadPlatform iOS gets one")
    return max(found)[1]


if __name__ == "__main__":
    print(choose(json.loads(Path(sys.argv[1]).read_text())))

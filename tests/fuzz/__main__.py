"""``make fuzz``: try changed inputs of every parser, and print what came of them."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.changes import make_input
from tests.fuzz.parsers import list_parsers, list_text_parsers
from tests.fuzz.pool import Limits, Row, try_all

CHEAP = 20_000
SHARE = 10
"""Of a text parser's inputs, the part that one gets which ends in native code and takes ten times as long."""


def main() -> int:
    """Return 1 where there is a fault."""
    options = _parse()
    names = [name for name in list_parsers() if not options.only or any(part in name for part in options.only)]
    counts = {name: _count(name, options.count) for name in names}
    rows: dict[str, Row] = {}
    began = time.monotonic()
    print(f"{'parser':<26}{'tried':>8}{'refused':>9}{'accepted':>10}{'faults':>8}{'longest':>10}{'memory':>10}")
    for name, row in try_all(names, counts, options.workers, list_parsers):
        rows[name] = row
        print(_format(name, row), flush=True)
        if options.keep and row.faults:
            _keep(options.keep, name, row)
    total = _sum(rows)
    print(_format("all", total))
    died = f"{total.died} of the refused crashed a process that has nothing else to do, which the project says, too; "
    limits = Limits()
    took = time.monotonic() - began
    print(f"{died}{took:.0f} s; limits of an input: {limits.seconds:g} s, {limits.memory >> 20} MiB")
    for row in rows.values():
        for fault in row.faults[:10]:
            print(f"{fault.parser} {fault.number}: {fault.kind}: {fault.what}", file=sys.stderr)
    if options.json:
        body = {name: row.to_json() for name, row in {**rows, "all": total}.items()}
        options.json.write_text(json.dumps(body, indent=1) + "\n")
    return 1 if total.faults else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--count", type=int, default=CHEAP, help="inputs of a cheap parser; one that ends in native code gets a tenth"
    )
    parser.add_argument("--only", action="append", help="part of a parser's name; may be repeated")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, help="write the table there, with every fault")
    parser.add_argument("--keep", type=Path, help="write the inputs of faults there; never into the repository")
    return parser.parse_args()


def _keep(folder: Path, name: str, row: Row) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tempfile.tempdir:
        parser = list_parsers()[name]()
        for fault in row.faults:
            data = make_input(name, fault.number, parser.seeds, parser.repair)
            (folder / f"{name.replace(' ', '_')}.{fault.number}").write_bytes(data)
    tempfile.tempdir = None


def _count(name: str, count: int) -> int:
    return count if name in list_text_parsers() else -(-count // SHARE)


def _sum(rows: dict[str, Row]) -> Row:
    found = rows.values()
    return Row(
        tried=sum(row.tried for row in found),
        refused=sum(row.refused for row in found),
        died=sum(row.died for row in found),
        accepted=sum(row.accepted for row in found),
        faults=[fault for row in found for fault in row.faults],
        seconds=max((row.seconds for row in found), default=0.0),
        memory=max((row.memory for row in found), default=0),
    )


def _format(name: str, row: Row) -> str:
    numbers = f"{row.tried:>8,}{row.refused:>9,}{row.accepted:>10,}{len(row.faults):>8,}"
    return f"{name:<26}{numbers}{row.seconds:>8.2f} s{row.memory >> 20:>6} MiB"


if __name__ == "__main__":
    raise SystemExit(main())

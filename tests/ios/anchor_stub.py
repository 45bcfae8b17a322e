"""Hold the stub of Core ML to Apple's headers, by way of the crate that is generated from them.

Each declaration of the stub names, in a comment, Apple's class and selector, an enumeration's constant, or a global
constant. ``objc2-core-ml`` has them all in its source, which is read as text.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

ANCHOR = Path(__file__).with_name("anchor")
CRATE = "objc2-core-ml"

_DECLARATION = re.compile(r"^ *(?:(?:open|public|class|static|final) +)*(?:func|init|var|let|case|subscript)\b")
_CONSTANT = re.compile(r"// constant: (\w+)$")
_VALUE = re.compile(r"= (\d+)  // value: (\w+) (\w+)$")
_SELECTOR = re.compile(r"// (\w+) ([\w:]+)$")


def fetch_crate() -> Path:
    """Fetch the crate with cargo, by the committed checksums, and return the folder of its generated source.

    Raises:
        subprocess.CalledProcessError: cargo cannot fetch it.
    """
    manifest = ["--locked", "--manifest-path", str(ANCHOR / "Cargo.toml")]
    subprocess.run(["cargo", "fetch", *manifest], check=True, capture_output=True)
    listed = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", *manifest], check=True, capture_output=True, text=True
    )
    packages = {package["name"]: package for package in json.loads(listed.stdout)["packages"]}
    return Path(packages[CRATE]["manifest_path"]).parent / "src" / "generated"


def find_unknown(stub: str, generated: Path) -> list[str]:
    """List the declarations of a stub that Apple's headers do not have.

    Args:
        stub: The stub's source.
        generated: The crate's generated source.

    Returns:
        Per such declaration, its line and what is wrong.
    """
    sources = {path.stem: path.read_text() for path in generated.glob("*.rs")}
    problems = []
    for number, line in enumerate(stub.splitlines(), 1):
        if _DECLARATION.match(line) and (why := _explain(line, sources)):
            problems.append(f"line {number}: {why}")
    return problems


def _explain(line: str, sources: dict[str, str]) -> str | None:
    if found := _CONSTANT.search(line):
        known = any(f"pub static {found[1]}:" in text for text in sources.values())
        return None if known else f"no constant {found[1]}"
    if found := _VALUE.search(line):
        number, kind, name = found.groups()
        block = next((text for text in sources.values() if f"pub struct {kind}(" in text), "")
        known = f"pub const {name}: Self = Self({number});" in block
        return None if known else f"{kind} has no {name} = {number}"
    if found := _SELECTOR.search(line):
        kind, selector = found.groups()
        own = [text for stem, text in sources.items() if stem == kind or stem.startswith(f"{kind}_")]
        # A trailing _ marks the error that the last argument returns.
        known = any(f"method({selector}{mark})" in text for text in own for mark in ("", "_"))
        return None if known else f"{kind} has no {selector}"
    return "it names nothing of Apple's"

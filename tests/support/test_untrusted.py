"""Files that others may have written: bounded, finite, whole, or one sentence."""

import json
import os
from pathlib import Path

import pytest

from imageqx_export.support.untrusted import (
    MOST_DEPTH,
    MOST_TOML,
    UntrustedError,
    parse_json,
    read_bytes,
    read_json,
    read_toml,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "NaN is no JSON number"),
        ("[-Infinity]", "-Infinity is no JSON number"),
        ('{"a": {"b": 1e999}}', "a.b: a number that is not finite"),
        (f"[{2**63}]", "an integer beyond 64 bits"),
        (f"[{'9' * 5000}]", "too many digits"),
        ('{"a": 1, "a": 2}', "'a' is there twice"),
        (r'["\ud800"]', "half a character"),
        ("[" * 100_000, f"more than {MOST_DEPTH} values within values"),
        ("[" * (MOST_DEPTH + 1) + "0" + "]" * (MOST_DEPTH + 1), f"more than {MOST_DEPTH} values within values"),
        ('{"a": ', "not JSON: Expecting value at line 1, column 7"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"", "not JSON"),
    ],
)
def test_json_that_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(UntrustedError, match=message.replace("[", r"\[")):
        parse_json(text)


def test_json_within_the_bounds_is_what_the_standard_library_reads() -> None:
    text = json.dumps({"a": [1, -2.5, None, True, "é", {"b": 2**63 - 1}]})
    assert parse_json(text) == json.loads(text) == parse_json(text.encode())
    deep = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    assert parse_json(deep) == json.loads(deep)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = nan", "a: a number that is not finite"),
        ("[a]\nb = [-inf]", "a.b: a number that is not finite"),
        (f"a = {2**64}", "an integer beyond 64 bits"),
        ("a = " + "[" * 5000, "more than"),
        ("a = " + "[" * 70 + "]" * 70, "more than"),
        ("a = ", "not TOML"),
        ("#" * (MOST_TOML + 1), "more than 65,536 bytes"),
    ],
)
def test_toml_that_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(UntrustedError, match=message):
        read_toml(path)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UntrustedError, match="not a regular file"):
            read_json(path)
    with pytest.raises(OSError, match="directory"):
        read_bytes(tmp_path)
    (tmp_path / "large").write_bytes(bytes(11))
    with pytest.raises(UntrustedError, match="more than 10 bytes"):
        read_bytes(tmp_path / "large", 10)

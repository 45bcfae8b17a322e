"""Standard output that is closed, full, narrow or no longer read: no traceback, and the documented exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-c", "from imageqx_export.cli import main; main()"]


def _run(arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = f'exec "$0" -c "$1" {arguments}'
    return subprocess.run(
        ["sh", "-c", command, PROGRAM[0], PROGRAM[2]],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--help >&-", 0),
        ("--help 2>&- >&-", 0),
        ("--help <&-", 0),
        ("--nonsense >&-", 2),
        ("report --baseline none --current none >&- 2>&-", 1),
    ],
)
def test_closed_streams_keep_the_exit_code(arguments: str, code: int) -> None:
    done = _run(arguments)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


RATINGS = "image,rater,evaluation,reasons\na.jpg,one,lesion,\n"


@pytest.mark.parametrize(
    ("stream", "arguments"),
    [("stdout", "--help"), ("stdout", "data check ratings.csv"), ("stderr", "data check none.csv")],
)
def test_a_reader_that_has_gone_is_no_failure_of_the_command(stream: str, arguments: str, tmp_path: Path) -> None:
    """Whichever library prints: click and rich have an exit code of their own for it."""
    (tmp_path / "ratings.csv").write_text(RATINGS)
    reader, writer = os.pipe()
    os.close(reader)
    out, err = (writer if name == stream else subprocess.PIPE for name in ("stdout", "stderr"))
    try:
        command = [*PROGRAM, *arguments.split()]
        done = subprocess.run(command, stdout=out, stderr=err, text=True, timeout=120, check=False, cwd=tmp_path)
    finally:
        os.close(writer)
    assert done.returncode == 141 and not done.stderr


BAR = """
from imageqx_export.cli import streams
from imageqx_export.support.progress import bar
streams.prepare()
with bar("working", 3) as advance:
    for _ in range(3):
        advance()
print("done")
raise SystemExit(streams.finish(0))
"""


def test_work_goes_on_where_nobody_looks_at_its_bar() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-c", BAR], stdout=subprocess.PIPE, stderr=writer, text=True, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stdout) == (0, "done\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output_is_told() -> None:
    done = _run("--help > /dev/full")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "no space left on device" in done.stderr.lower()


def test_an_encoding_without_a_character_spells_it_out() -> None:
    done = _run("report --baseline 日本 --current none", PYTHONIOENCODING="ascii")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert r"\u65e5\u672c" in done.stderr

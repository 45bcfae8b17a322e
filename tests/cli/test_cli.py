"""What a person meets first."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from imageqx_export.cli import app
from tests.conftest import Cli

COMMANDS = (
    "export",
    "parity",
    "predict",
    "train",
    "finetune",
    "import-checkpoint",
    "quantize",
    "thresholds",
    "evaluate",
    "bench",
    "report",
    "baseline",
    "publish",
    "pull",
    "releases",
    "diff",
    "verify",
    "emulator",
    "doctor",
)


@pytest.mark.parametrize("command", ["export", "finetune"])
def test_every_command_has_help_with_an_example(program: Cli, command: str) -> None:
    result = program(command, "--help")
    assert result.returncode == 0
    assert f"imageqx {command}" in result.stdout.split("Example")[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_are_not_wrapped_and_options_are_in_panels(command: str) -> None:
    text = CliRunner().invoke(app, [command, "--help"]).output
    assert f"imageqx {command} " in text.split("Example")[1]
    example = next(line for line in text.splitlines() if f"imageqx {command}" in line and "Usage" not in line)
    assert example in text.split("Options:")[1]
    assert text.index("\nOutput:" if "\nOutput:" in text else "--json") < text.index("-h, --help")
    assert not re.search("(?<!--)painted|spoil|judge", text)


@pytest.mark.parametrize("columns", ["20", "60", "80"])
def test_no_commands_sentence_is_cut(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    text = CliRunner().invoke(app, ["--help"]).output
    printed = " ".join(text.split())
    assert "…" not in text and "..." not in text.split("Options:")[1]
    assert "Convert a checkpoint to ONNX, Core ML and TFLite, and verify every file." in printed
    assert all(f" {command} " in printed for command in COMMANDS)


def test_an_examples_line_is_as_long_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = CliRunner().invoke(app, ["evaluate", "--help"]).output
    assert "  Example: imageqx evaluate artifacts/imageqx/imageqx_fp16.tflite --photos my_photos --out" in text


def test_every_option_has_a_help_text() -> None:
    group: Any = typer.main.get_command(app)
    commands = {**group.commands, **group.commands["data"].commands, **group.commands["keys"].commands}
    silent = [
        f"{name} --{parameter.name}"
        for name, command in commands.items()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ]
    assert set(COMMANDS) <= set(commands) and silent == []


def test_help_lists_the_commands_with_whole_sentences(program: Cli) -> None:
    result = program("--help")
    assert result.returncode == 0
    assert all(f"\n  {command} " in result.stdout for command in (*COMMANDS, "data"))
    assert not {"...", "…"} & set(result.stdout.split()) and "...\n" not in result.stdout.partition("Artifacts:")[2]
    assert [line for line in result.stdout.splitlines() if line.endswith(":")] == [
        *("Options:", "Artifacts:", "Model:", "Performance:", "Releases:", "Data:")
    ]


def test_help_loads_no_heavy_library() -> None:
    import subprocess
    import sys

    script = (
        "import sys; from typer.testing import CliRunner; from imageqx_export.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0 and 'pydantic' not in sys.modules\n"
        "assert CliRunner().invoke(app, ['export', '--help']).exit_code == 0\n"
        "heavy = {'torch', 'numpy', 'onnx', 'coremltools', 'cv2', 'PIL', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("predict", "none.jpg", "--artifact", "none.onnx"), "none.onnx"),
        (("predict", "none.jpg", "--artifact", "model.pt"), "unknown kind of file"),
        (("parity", "nowhere"), "manifest"),
        (("export", "--checkpoint", "none.safetensors"), "none.safetensors"),
        (("train", "--photos", "nowhere"), "nowhere"),
        (("train", "--init", "magic"), "imagenet, lite0, random"),
    ],
)
def test_mistakes_get_one_clear_message(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    result = cli(*arguments)
    assert result.returncode == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("error: ")

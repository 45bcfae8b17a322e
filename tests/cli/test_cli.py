"""What a person meets first."""

from __future__ import annotations

import pytest

from tests.conftest import Cli


@pytest.mark.parametrize("command", ["export", "parity", "predict", "train", "thresholds", "evaluate"])
def test_every_command_has_help_with_an_example(cli: Cli, command: str) -> None:
    result = cli(command, "--help")
    assert result.returncode == 0
    assert f"imageqx {command}" in result.stdout.split("Example")[1]


def test_help_lists_the_commands(cli: Cli) -> None:
    result = cli("--help")
    assert result.returncode == 0
    assert all(
        command in result.stdout
        for command in ("export", "parity", "predict", "train", "thresholds", "evaluate", "data")
    )


def test_help_loads_no_heavy_library() -> None:
    import subprocess
    import sys

    script = (
        "import sys; from typer.testing import CliRunner; from imageqx_export.cli import app\n"
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

"""What imageqx finetune makes of what the stage found."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from imageqx_export.cli.show import finetune as show
from imageqx_export.quantize.qat import stage
from tests.conftest import CHECKPOINT, Cli


@pytest.mark.parametrize(("problems", "code"), [((), 0), (("agreement is 97.1 %",), 1)])
def test_the_exit_code_is_1_over_the_budget_as_of_quantize(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problems: tuple[str, ...], code: int
) -> None:
    shown = []
    monkeypatch.setattr(stage, "fine_tune", lambda *_, **__: SimpleNamespace(problems=problems))
    monkeypatch.setattr(show, "show_finetuning", lambda result, **_: shown.append(result.problems))
    (tmp_path / "copy.safetensors").symlink_to(CHECKPOINT)
    assert cli("finetune", "--checkpoint", str(tmp_path / "copy.safetensors")).returncode == code
    assert shown == [problems]

"""Configurations that make no sense are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from imageqx_export.errors import TrainingError, UnknownNameError
from imageqx_export.training.config import TrainingConfig
from tests.training.fakes import CONFIG


@pytest.mark.parametrize("name", ["epochs", "samples", "batch_size", "validation_samples", "restart_factor"])
def test_configurations_that_make_no_sense(name: str) -> None:
    with pytest.raises(TrainingError, match="at least 1"):
        replace(CONFIG, **{name: 0})  # type: ignore[arg-type]  # all of them are integers


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"small_size": 100}, "multiple of 16"),
        ({"small_size": 16}, "multiple of 16"),
        ({"learning_rate": float("nan")}, "learning rate"),
        ({"learning_rate": 1e39}, "learning rate"),
        ({"weight_decay": -1.0}, "weight decay"),
        ({"ema_decay": 1.5}, "ema decay"),
        ({"label_smoothing": -0.1}, "label smoothing"),
        ({"rated_share": 2.0}, "rated share"),
    ],
)
def test_values_out_of_range(change: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        replace(CONFIG, **change)


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match=r"(?s)'pretrained'.*imagenet, lite0, random"):
        TrainingConfig(initialisation="pretrained")
    with pytest.raises(UnknownNameError, match=r"(?s)'int8'.*fp32, bf16, fp16"):
        TrainingConfig(arithmetic="int8")

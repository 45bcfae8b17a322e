"""When training stops early: a score on validation that no longer rises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def is_best(history: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether the last epoch's score is higher than every one before it; a score of None is lower than all.

    >>> is_best([{"auc": 0.7}, {"auc": 0.8}], "auc"), is_best([{"auc": 0.7}, {"auc": 0.7}], "auc")
    (True, False)
    """
    *before, last = (_read(row, name) for row in history)
    return not before or last > max(before)


def is_over(history: Sequence[Mapping[str, Any]], name: str, patience: int) -> bool:
    """Whether the last ``patience`` epochs have all scored no higher than one before them; 0 is never over.

    >>> is_over([{"auc": 0.8}, {"auc": 0.7}, {"auc": 0.8}], "auc", 2)
    True
    """
    scores = [_read(row, name) for row in history]
    if not patience or len(scores) <= patience:
        return False
    return max(scores[-patience:]) <= max(scores[:-patience])


def _read(row: Mapping[str, Any], name: str) -> float:
    return float("-inf") if row[name] is None else float(row[name])

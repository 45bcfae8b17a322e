"""Find the fewest layers that must stay float for a budget to hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Args:
        floats: The layers that stay float, those that cost most first.
        holds: Whether the budget holds with them.
        trials: How many sets were tried.
    """

    floats: tuple[str, ...]
    holds: bool
    trials: int


def find_fewest_floats(order: Sequence[str], holds: Callable[[frozenset[str]], bool]) -> SearchResult:
    """Move layers to float until the budget holds, and then back whatever it holds without.

    First the shortest beginning of ``order`` with which it holds, by bisection: more float layers are taken not to
    hurt. Then each of those is quantized again, the one that costs least first, and stays so if the budget still holds.
    So no layer of the result can be left out, though a smaller set of others may exist.

    Args:
        order: The layers, the one that costs most first.
        holds: Whether the budget holds with these layers in float.

    >>> find_fewest_floats(["a", "b", "c", "d"], lambda floats: {"a", "c"} <= floats).floats
    ('a', 'c')
    """
    trials: dict[frozenset[str], bool] = {}

    def try_layers(layers: Sequence[str]) -> bool:
        chosen = frozenset(layers)
        if chosen not in trials:
            trials[chosen] = holds(chosen)
        return trials[chosen]

    if try_layers(()):
        return SearchResult((), True, len(trials))
    if not try_layers(order):
        return SearchResult(tuple(order), False, len(trials))
    too_few, enough = 0, len(order)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if try_layers(order[:middle]) else (middle, enough)
    kept = list(order[:enough])
    for layer in reversed(order[:enough]):
        without = [other for other in kept if other != layer]
        if try_layers(without):
            kept = without
    return SearchResult(tuple(kept), True, len(trials))

"""The search against known answers and brute force."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from imageqx_export.quantize.sensitivity.search import find_fewest_floats

LAYERS = "abcdefgh"


def test_a_budget_that_holds_keeps_nothing_float() -> None:
    found = find_fewest_floats(LAYERS, lambda floats: True)
    assert (found.floats, found.holds, found.trials) == ((), True, 1)


def test_a_budget_that_cannot_hold_is_said_so() -> None:
    found = find_fewest_floats(LAYERS, lambda floats: False)
    assert (found.floats, found.holds) == (tuple(LAYERS), False)


@given(st.sets(st.sampled_from(LAYERS)), st.permutations(LAYERS))
def test_layers_that_must_be_float_are_found_in_any_order(needed: set[str], order: list[str]) -> None:
    found = find_fewest_floats(order, lambda floats: needed <= floats)
    assert set(found.floats) == needed and found.holds
    assert [layer for layer in order if layer in needed] == list(found.floats)


@given(st.lists(st.integers(0, 100), min_size=8, max_size=8), st.integers(0, 300))
def test_with_costs_that_add_up_it_is_the_fewest(costs: list[int], budget: int) -> None:
    cost = dict(zip(LAYERS, costs, strict=True))

    def holds(floats: frozenset[str]) -> bool:
        return sum(cost[layer] for layer in LAYERS if layer not in floats) <= budget

    found = find_fewest_floats(sorted(LAYERS, key=lambda layer: -cost[layer]), holds)
    smallest = next(n for n in range(9) if any(holds(frozenset(c)) for c in combinations(LAYERS, n)))
    assert found.holds and len(found.floats) == smallest


def test_every_layer_of_the_result_is_needed() -> None:
    # The costliest alone does not matter once two others are float.
    found = find_fewest_floats(LAYERS, lambda floats: {"c", "d"} <= floats)
    assert found.floats == ("c", "d")


def test_no_set_is_tried_twice() -> None:
    seen: list[frozenset[str]] = []

    def holds(floats: frozenset[str]) -> bool:
        seen.append(floats)
        return {"b", "g"} <= floats

    assert find_fewest_floats(LAYERS, holds).trials == len(seen) == len(set(seen))

"""Skin types: the groups' numbers are those of the groups' photos alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from imageqx_export.evaluation.by_skin import measure_by_skin, select_photos
from imageqx_export.evaluation.scores import measure
from imageqx_export.evaluation.skin_types import FEWEST
from imageqx_export.networks.imageqx.spec import spec
from tests.evaluation.fakes import answers, labelled


def test_each_group_is_measured_on_its_own_photos() -> None:
    photos = labelled(0, 90)
    types = np.repeat([0, 1, 2, 4, 6], [20, 40, FEWEST - 1, FEWEST, 11])
    photos = replace(photos, fitzpatrick=types)
    outputs = answers(photos, 1)
    groups = {group.name: group.scores for group in measure_by_skin(photos, outputs, spec())}
    assert {name: scores.photos for name, scores in groups.items()} == {
        "I–III": 49,
        "IV–VI": 21,
        "I": 40,
        "IV": 10,
        "VI": 11,
    }
    light = np.flatnonzero(np.isin(types, [1, 2, 3]))
    alone = measure(select_photos(photos, light), {key: value[light] for key, value in outputs.items()}, spec())
    assert groups["I–III"].quality == alone.quality
    assert groups["I–III"].explanations == alone.explanations
    assert groups["I–III"].quality != groups["IV–VI"].quality


def test_unknown_types_make_no_group() -> None:
    photos = labelled(0, 20, fitzpatrick=False)
    assert measure_by_skin(photos, answers(photos, 0), spec()) == ()


def test_a_group_without_photos_is_absent() -> None:
    photos = replace(labelled(0, 12), fitzpatrick=np.full(12, 5))
    assert [group.name for group in measure_by_skin(photos, answers(photos, 0), spec())] == ["IV–VI", "V"]

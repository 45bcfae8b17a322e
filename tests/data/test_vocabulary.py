"""The raters' vocabulary: ImageQX speaks it, and a network that does not is refused where the two meet."""

from __future__ import annotations

from typing import Any

import pytest

from imageqx_export import networks
from imageqx_export.data.vocabulary import LABELS, REASONS, require_vocabulary
from imageqx_export.errors import ArtifactError


def test_imageqx_gives_what_raters_are_asked() -> None:
    """Two definitions, each with its owner: the paper's protocol, and the network's outputs."""
    spec = networks.spec("imageqx")
    require_vocabulary(spec, "imageqx")
    assert (spec.labels, spec.reasons) == (LABELS, REASONS)
    assert len(set(LABELS)) == 4 and len(set(REASONS)) == 5


@pytest.mark.parametrize(
    "changed",
    [
        {"labels": LABELS[::-1]},
        {"labels": LABELS[:3]},
        {"reasons": (*REASONS[1:], REASONS[0])},
        {"reasons": (*REASONS, "covered")},
    ],
)
def test_another_order_or_number_is_refused(changed: dict[str, Any]) -> None:
    spec = networks.spec("imageqx").model_copy(update=changed)
    with pytest.raises(ArtifactError, match=r"(?s)another model's labels or reasons.*a\.tflite.*expected:.*lesion"):
        require_vocabulary(spec, "a.tflite")


def test_a_network_without_labels_is_refused() -> None:
    with pytest.raises(ArtifactError, match="another model's labels"):
        require_vocabulary(networks.spec("duke-iqa"), "duke-iqa")

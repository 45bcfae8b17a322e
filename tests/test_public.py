"""The public names, pinned."""

from __future__ import annotations

import imageqx_export

NAMES = """
Artifact Checkpoint Evaluation ExportConfig ExportResult Format ImageQXError LabelledPhotos Manifest ModelSpec
ParityReport Precision Preprocessing QuantizedModel Recipe Runtime Sources Temperatures TensorSpec
ThresholdsConfig TrainingConfig TrainingRun Verdict choose_thresholds compare_artifacts evaluate
export_checkpoint load_checkpoint load_pixels load_runtime make_recipe predict_photos read_recipe
save_checkpoint train write_recipe
"""


def test_the_public_names() -> None:
    assert imageqx_export.__all__ == NAMES.split()


def test_every_public_name_is_there_and_documented() -> None:
    for name in imageqx_export.__all__:
        assert getattr(imageqx_export, name).__doc__, name


def test_other_names_are_not() -> None:
    assert not hasattr(imageqx_export, "numpy")

"""What an app asks of a phone's accelerator before it trusts it: the golden pictures, once, at first start.

docs/self-test.md says what an app does with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from imageqx_export.artifact import Precision
from imageqx_export.bundle.manifest import GOLDEN_FOLDER, SELF_TEST_FILE, name_golden_outputs
from imageqx_export.errors import ArtifactError
from imageqx_export.parity.compare import ACCELERATOR_TOLERANCES, Tolerance
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import describe, read_model


class Expectation(Frozen):
    """What files of one scheme should give.

    Attributes:
        outputs: The file with PyTorch's outputs, beside this one.
        tolerance: How far an accelerator may be from them.
    """

    outputs: str
    tolerance: Tolerance


class SelfTest(Frozen):
    """A self-test, as ``golden/self_test.json`` holds it.

    Attributes:
        pictures: Names of the pictures, beside this file.
        expectations: Per scheme, what to compare with.
    """

    schema_version: Literal[1] = 1
    pictures: tuple[str, ...]
    expectations: dict[Precision, Expectation]


def write_self_test(folder: Path, pictures: Iterable[str], precisions: Iterable[Precision]) -> None:
    """Write ``self_test.json`` into ``golden/``."""
    expectations = {
        precision: Expectation(outputs=name_golden_outputs(precision), tolerance=ACCELERATOR_TOLERANCES[precision])
        for precision in precisions
    }
    test = SelfTest(pictures=tuple(sorted(pictures)), expectations=expectations)
    (folder / SELF_TEST_FILE).write_text(test.model_dump_json(indent=1) + "\n")


def read_self_test(folder: Path) -> SelfTest:
    """Read the self-test of an artifacts folder.

    Args:
        folder: The folder with ``golden/``.

    Raises:
        ArtifactError: There is none, or it is not valid.
    """
    path = folder / GOLDEN_FOLDER / SELF_TEST_FILE
    try:
        return read_model(path, SelfTest)
    except (OSError, ValueError) as error:
        raise ArtifactError("no self-test", where=path, got=describe(error), remedy="imageqx export") from error

"""What coremltools raises on behalf of a phone becomes one of our errors."""

from __future__ import annotations

import pytest

from imageqx_export.bench.ios.app import import_coremltools
from imageqx_export.bench.ios.runner import translate_errors
from imageqx_export.errors import ArtifactError, DeviceError, MeasurementError


def devicectl_error(message: str | bytes, code: int) -> Exception:
    """Return coremltools' own error."""
    import_coremltools()
    from coremltools.models.ml_program.experimental.remote_device import _DeviceCtlError

    error: Exception = _DeviceCtlError(message, code)
    return error


def test_what_devicectl_prints_is_read() -> None:
    error = devicectl_error(b"ERROR: (FBSOpenApplicationErrorDomain error 7 (0x07))\n", 1)
    with pytest.raises(DeviceError, match="the phone is locked") as raised, translate_errors("a.mlpackage"):
        raise error
    assert raised.value.__cause__ is error and raised.value.where == "a.mlpackage"


def test_what_the_runner_answers_concerns_the_model_alone() -> None:
    with pytest.raises(ArtifactError, match="cannot run the model") as raised, translate_errors("a.mlpackage"):
        raise devicectl_error("Unsupported output: Incompatible output format", -32001)
    assert raised.value.got == "Unsupported output: Incompatible output format"


def test_a_bare_error_of_coremltools_is_a_refusal() -> None:
    with pytest.raises(DeviceError, match="the phone refused") as raised, translate_errors("a.mlpackage"):
        raise ValueError("The device session is not active.")
    assert raised.value.got == "The device session is not active."


def test_our_own_errors_and_interrupts_pass() -> None:
    with pytest.raises(MeasurementError, match="mine"), translate_errors("a.mlpackage"):
        raise MeasurementError("mine")
    with pytest.raises(KeyboardInterrupt), translate_errors("a.mlpackage"):
        raise KeyboardInterrupt

"""What a target feeds: on phones and in browsers one photo of bytes, as apps do."""

from __future__ import annotations

from imageqx_export.artifact import Artifact
from imageqx_export.input_form import DEFAULT_FORM, read_form


def explain_unfed(artifact: Artifact) -> str | None:
    """Return why a target that feeds what apps do cannot run a file, or None."""
    form = read_form(artifact.spec)
    return None if form == DEFAULT_FORM else f"apps feed a photo of bytes, the file takes {form.name}: --target host"

"""Run ``IosTarget`` from end to end on the fake Mac: ``python on_a_fake_mac.py FOLDER RESULT.json``.

A process of its own, because coremltools must meet the fake native library when it is imported. It does so without the
libraries that it can do without, as on a Mac that only measures; that also starts it several times as fast.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

from imageqx_export.artifact import Format, Manifest, Precision
from imageqx_export.bench.ios.app import import_coremltools
from imageqx_export.bench.ios.runner import measure
from imageqx_export.bench.ios.target import IosTarget
from imageqx_export.bench.model import Schedule
from imageqx_export.bench.stage import BenchConfig
from imageqx_export.bench.stage import measure as run_benchmark
from imageqx_export.errors import ArtifactError

SCHEDULE = Schedule(warmup_runs=1, warmup_seconds=0, runs=2, seconds=0, processes=1)


def main(folder: Path) -> dict[str, Any]:
    """Run the benchmark's own stage on one artifact, and look at what it passes by."""
    import_coremltools()
    import coremltools.models.utils

    coremltools.models.utils._macos_version = lambda: (15, 0)
    platform.system = lambda: "Darwin"
    target = IosTarget("")
    run = run_benchmark(folder, target, BenchConfig(SCHEDULE, formats=[Format.COREML], precisions=[Precision.FP16]))
    artifacts = Manifest.model_validate_json((folder / "manifest.json").read_text()).artifacts
    artifact = next(a for a in artifacts if a.format is Format.COREML)
    with target.open(folder, artifacts, SCHEDULE, "run-2"):
        unavailable = {str(a.path): target.explain_unavailable(a) for a in artifacts}
        place = target._require_open().place
        try:  # what the array-input package is for
            measure(place, folder / artifact.path, target._load_photo(artifact), SCHEDULE)
        except ArtifactError as refusal:
            with_image_input = f"{refusal.what}: {refusal.got}"
    return {
        "run": run.model_dump(mode="json"),
        "unavailable": unavailable,
        "with_image_input": with_image_input,
        "left": place.folder.exists(),
    }


if __name__ == "__main__":
    # Here and not above: pytest imports this file too, when it looks for doctests.
    for _name in ("torch", "torchvision", "torchaudio", "torchao", "transformers", "sklearn", "scipy", "tensorflow"):
        sys.modules[_name] = None  # type: ignore[assignment]
    Path(sys.argv[2]).write_text(json.dumps(main(Path(sys.argv[1]))))

"""Assess one photo again and again with one artifact in this process, and write down what each part took.

``python photo.py REQUEST.json RESULT.json``, with runner.py's request and in it ``photo``, the JPEG, ``turns``, and
``spec``, the artifact's ModelSpec. The result has ``versions``, and ``load``, ``cold`` and ``warm`` of a PhotoSample.
It is what a person waits for: the photo's bytes lie in memory, as a camera hands them over, and a verdict comes out.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export.bench.worker.runner import FORMATS, Model, answer
from imageqx_export.decisions import EXPLANATIONS, decide_output, rank_reasons
from imageqx_export.input_form import read_form
from imageqx_export.model_spec import ModelSpec
from imageqx_export.preprocess import load_pixels


def assess(model: Model, photo: bytes, spec: ModelSpec) -> dict[str, float]:
    """Bring a photo to its verdict, and return the seconds of each part."""
    clock, form = time.perf_counter, read_form(spec)
    begin = clock()
    pixels = load_pixels(photo, spec.preprocessing)
    decoded = clock()
    outputs = model.run(next(form.feed(pixels[None])))
    ran = clock()
    rows = dict(zip(model.names(), outputs, strict=True))  # LiteRT allocates for its names, so they are not timed
    named = clock()
    for name, values in rows.items():
        decide_output(name, np.asarray(values, np.float32)[:1], spec)
    if spec.reasons:
        rank_reasons(rows[EXPLANATIONS][:1], spec)
    return {"pixels": decoded - begin, "inference": ran - decoded, "decision": clock() - named}


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Open the artifact, and assess the photo once cold and ``turns`` times warm."""
    spec, photo = ModelSpec.model_validate(request["spec"]), Path(request["photo"]).read_bytes()
    load = FORMATS[request["format"]](request["config"])
    begin = time.perf_counter()
    model = load(request["path"], request["threads"], None)
    loaded = time.perf_counter() - begin
    cold, *warm = (assess(model, photo, spec) for _ in range(1 + request["turns"]))
    return {"load": loaded, "cold": cold, "warm": warm}


def main(argv: list[str]) -> int:
    """Answer a request for one photo; returns the exit code."""
    return answer(argv, measure)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

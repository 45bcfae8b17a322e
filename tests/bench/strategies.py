"""Runs of every shape, for hypothesis."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from imageqx_export.artifact import Format, Precision
from imageqx_export.bench.model import BenchRun, Instructions, LayerCost, Machine, Measurement, ProcessSample, Schedule
from imageqx_export.bench.photo import PhotoSample, PhotoTurn

text = st.text(max_size=12)
seconds = st.floats(0, 1e6)
samples = st.builds(
    ProcessSample,
    load_seconds=seconds,
    first_seconds=seconds,
    seconds=st.lists(seconds, max_size=4).map(tuple),
    started=seconds,
    temperature_before=st.none() | st.floats(-40, 150),
    temperature_after=st.none() | st.floats(-40, 150),
)
counts = st.builds(
    Instructions, count=st.floats(1, 1e12), repeats=st.lists(st.floats(0, 1e12), max_size=3).map(tuple), source=text
)
layers = st.builds(LayerCost, name=text, kind=text, seconds=seconds)
turns = st.builds(PhotoTurn, pixels=seconds, inference=seconds, decision=seconds)
photos = st.builds(
    PhotoSample, photo=text, load=seconds, cold=turns, warm=st.lists(turns, min_size=1, max_size=2).map(tuple)
)
measurements = st.builds(
    Measurement,
    artifact=text,
    sha256=text,
    format=st.sampled_from(Format),
    precision=st.sampled_from(Precision),
    size_bytes=st.integers(0, 2**40),
    samples=st.lists(samples, max_size=2).map(tuple),
    peak_memory_bytes=st.none() | st.integers(0, 2**40),
    instructions=st.none() | counts,
    kernels=st.none() | text,
    max_error=st.none() | seconds,
    layers=st.lists(layers, max_size=2).map(tuple),
    photos=st.lists(photos, max_size=2).map(tuple),
    unavailable=st.none() | text,
    failed=st.booleans(),
    notes=st.lists(text, max_size=2).map(tuple),
)
runs = st.builds(
    BenchRun,
    schema_version=st.just(1),
    run_id=text,
    started=seconds,
    commit=text,
    target=text,
    machine=st.builds(
        Machine,
        name=text,
        cores=st.integers(1, 256),
        abi=text,
        system=text,
        facts=st.dictionaries(text, text, max_size=3),
    ),
    schedule=st.builds(Schedule, runs=st.integers(1, 1000), quick=st.booleans()),
    tool_versions=st.dictionaries(text, text, max_size=3),
    checkpoint_sha256=text,
    measurements=st.lists(measurements, max_size=3, unique_by=lambda m: m.artifact).map(tuple),
)
relaxed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

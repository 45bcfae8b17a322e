"""What Ray is told and what its workers are sent, without Ray; tests/slow/test_ray.py starts it."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imageqx_export import __version__
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.predict.archive import cluster
from imageqx_export.predict.archive.rows import Rows


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Put a Ray in place that only notes what ``init`` is given."""
    told: list[dict[str, Any]] = []
    ray, data = ModuleType("ray"), ModuleType("ray.data")
    context = SimpleNamespace(get_current=lambda: SimpleNamespace())
    vars(data).update(DataContext=context)
    vars(ray).update(data=data, init=lambda **options: told.append(options), shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", data)
    monkeypatch.setenv("RAY_ADDRESS", "10.9.9.9:6379")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    return told


def test_a_cluster_of_its_own_is_local_whatever_the_environment_says(told: list[dict[str, Any]]) -> None:
    with cluster._connect(None, 3):
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    (options,) = told
    assert (options["address"], options["num_cpus"], options["include_dashboard"]) == ("local", 3, False)


def test_a_cluster_that_runs_is_the_one_that_is_named(told: list[dict[str, Any]]) -> None:
    with cluster._connect("10.0.0.1:6379", 3):
        pass
    (options,) = told
    assert options["address"] == "10.0.0.1:6379"
    assert not {"num_cpus", "object_store_memory", "_temp_dir"} & set(options)  # which Ray refuses there


def test_workers_elsewhere_find_relative_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    (here / "empty.jpg").touch()
    monkeypatch.setattr(cluster, "_open_model", lambda *_: None)
    facts = {"version": __version__, "spec": spec().model_dump_json(), "sha256": "", "artifact": ""}
    names = ["empty.jpg", "none.jpg", "memory://nothing/a.jpg", os.fsdecode(b"\xff.jpg")]
    monkeypatch.chdir(here)
    row = {"name": "block", "photos": cluster._pack_names(names)}
    monkeypatch.chdir(there)
    done = cluster._assess_block(row, model=None, facts=facts)
    rows = pickle.loads(done["done"])
    assert done["name"] == "block" and isinstance(rows, Rows)
    table = pq.read_table(pa.BufferReader(rows.table)).to_pylist()
    assert [row["photo"] for row in table] == [*names[:3], "\\udcff.jpg"]
    assert table[0]["error"]["what"] != table[1]["error"]["what"]  # an empty file is not one that is not there

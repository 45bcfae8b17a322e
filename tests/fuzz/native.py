"""The parsers that end in native code: tensors and tables here; models and photos have files of their own."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export.checkpoint import _HEADER_KEY
from imageqx_export.networks.imageqx.spec import spec
from tests.fuzz.archives import list_archive_parsers
from tests.fuzz.models import PIXELS, make_coreml, make_library, make_onnx, make_tflite, make_zip, repair_zip
from tests.fuzz.parsers import RATINGS, Parser, from_file
from tests.fuzz.photos import PHOTOS, make_photos
from tests.fuzz.releases import list_signed_parsers


def list_native_parsers() -> dict[str, Callable[[], Parser]]:
    """Return what makes each parser, by name."""
    return {
        "checkpoint": make_checkpoint,
        "checkpoint's header": make_header,
        "another's checkpoint": make_foreign_checkpoint,
        "training state": make_state,
        "arrays of a runner": make_arrays,
        "ratings in Parquet": make_parquet,
        "zip behind TFLite": make_zip,
        "TFLite, sizes": lambda: make_tflite(read_sizes_of),
        "TFLite, lint": lambda: make_tflite(lambda path: lint("tflite", path), apart=True),
        "TFLite, run": lambda: make_tflite(run, apart=True),
        "ONNX, sizes": lambda: make_onnx(read_sizes_of),
        "ONNX, lint": lambda: make_onnx(lambda path: lint("onnx", path), apart=True),
        "ONNX, run": lambda: make_onnx(run, apart=True),
        "native library, lint": make_library,
        "Core ML manifest, sizes": lambda: make_coreml(0, read_sizes_of),
        "Core ML program, sizes": lambda: make_coreml(1, read_sizes_of),
        "Core ML weights, sizes": lambda: make_coreml(2, read_sizes_of),
        "Core ML program, lint": lambda: make_coreml(1, lambda path: lint("mlpackage", path), apart=True),
        "Core ML manifest, run": lambda: make_coreml(0, run, apart=True),
        "Core ML program, run": lambda: make_coreml(1, run, apart=True),
        "Core ML weights, run": lambda: make_coreml(2, run, apart=True),
        **{f"{name} photo": partial(make_photos, name) for name in PHOTOS},
        **list_archive_parsers(),
        **list_signed_parsers(),
    }


def read_sizes_of(path: Path) -> object:
    """Say where the bytes of a file are, as the report does."""
    from imageqx_export.report.sizes.readers import read_sizes

    return read_sizes(path)


def lint(kind: str, path: Path) -> object:
    """Read a file as lint does, but in this process, and put the rules to it."""
    import importlib

    from imageqx_export.lint.stage import check_graph

    return check_graph(path, importlib.import_module(f"imageqx_export.lint.readers.{kind}").read(path))


def run(path: Path) -> object:
    """Open a file and run it on a picture, as parity does; its numbers are compared there, so they may be any."""
    from imageqx_export.runtimes import load_runtime

    runtime = load_runtime(path)
    return sorted(runtime.run(PIXELS)), runtime.signature


def make_checkpoint() -> Parser:
    """Of two tensors; that they are not the network's is found later."""
    import torch
    from safetensors.torch import save

    from imageqx_export.checkpoint import read_safetensors

    tensors = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.zeros(3, dtype=torch.float16)}
    header = json.dumps({"spec": spec().model_dump(mode="json"), "metrics": {}, "provenance": {}})
    seeds = save(tensors, {_HEADER_KEY: header}), save(tensors, {_HEADER_KEY: "{}"})
    return Parser(from_file("a.safetensors", lambda path: list(read_safetensors(path))), seeds)


def make_header() -> Parser:
    """Of a clinic's network, before tensors that fit."""
    from safetensors.torch import save

    from imageqx_export import networks
    from imageqx_export.checkpoint import load_checkpoint, save_checkpoint

    network = networks.build("imageqx", options={"reasons": "blurry,hair", "side": 64.0}).eval()
    path = Path(tempfile.mkdtemp()) / "a.safetensors"
    save_checkpoint(network, network.spec, {"quality": 0.5}, {"note": "x"}, path)
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"][_HEADER_KEY]
    tensors = network.state_dict()

    def read(data: bytes) -> object:
        path.write_bytes(save(tensors, {_HEADER_KEY: data.decode("utf-8", "replace")}))
        checkpoint, _ = load_checkpoint(path)
        return checkpoint

    return Parser(read, (header.encode(),))


def make_foreign_checkpoint() -> Parser:
    """As torch.save writes it, the weights alone or below a key."""
    import torch

    from imageqx_export.checkpoint_import import find_state, read, rename, unwrap

    tensors = {f"module.{name}": torch.ones(3) for name in ("conv_stem.weight", "blocks.0.0.conv_dw.weight")}
    seeds = []
    for value in (tensors, {"epoch": 3, "state_dict": tensors}):
        file = io.BytesIO()
        torch.save(value, file)
        seeds.append(file.getvalue())

    def load(path: Path) -> object:
        wrappers, found = unwrap(find_state(path, read(path), None)[1], set())
        return wrappers, rename(found)[0]

    return Parser(from_file("a.pt", load), tuple(seeds), repair_zip)


def make_state() -> Parser:
    """Of a run with one layer."""
    import torch

    from imageqx_export.training.config import TrainingConfig
    from imageqx_export.training.state import load_state, save_state

    config, layer = TrainingConfig(epochs=2), torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    path = Path(tempfile.mkdtemp()) / "seed.state"
    with save_state(path, config, "ab", 1, [{"epoch": 1, "loss": 0.5}], [layer, optimizer]):
        pass

    def read(path: Path) -> object:
        fresh = torch.nn.Linear(2, 2)
        return load_state(path, config, "ab", [fresh, torch.optim.AdamW(fresh.parameters())])

    return Parser(from_file("a.state", read), (path.read_bytes(),), repair_zip)


def make_arrays() -> Parser:
    """As a runner writes its outputs."""
    from imageqx_export.support.arrays import read_arrays

    plain, packed = io.BytesIO(), io.BytesIO()
    arrays: dict[str, Any] = {"quality": np.ones((2, 4), np.float32), "attention": np.ones((2, 5, 7, 7), np.float32)}
    np.savez(plain, **arrays)
    np.savez_compressed(packed, **arrays)

    def read(data: bytes) -> object:
        return sorted(read_arrays(data, "a"))

    return Parser(read, (plain.getvalue(), packed.getvalue()), repair_zip)


def make_parquet() -> Parser:
    """In several of its encodings."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from imageqx_export.data.annotations import read_ratings

    rows = [line.split(",") for line in RATINGS.decode().splitlines()]
    table = pa.table({name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])})
    seeds = []
    for options in ({}, {"compression": "NONE", "use_dictionary": False}, {"compression": "ZSTD"}):
        file = io.BytesIO()
        pq.write_table(table, file, **options)
        seeds.append(file.getvalue())
    return Parser(from_file("a.parquet", read_ratings), tuple(seeds))

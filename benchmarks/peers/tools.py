"""The peers: whose tool, where it lives, what runs its file; and the file itself, made once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import phone_runtimes
from imageqx_export.artifact import Manifest, Outputs, Pixels, Precision
from imageqx_export.compat.environments import Environment
from imageqx_export.errors import ImageQXError
from imageqx_export.quantize.sensitivity.cache import make_key
from imageqx_export.support.files import count_bytes, digest
from imageqx_export.support.folders import temporary_folder

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_LISTS = _HERE / "requirements"
WORKER = _HERE / "worker.py"
CHECKPOINT = _ROOT / "models" / "imageqx.safetensors"
SECONDS = 1800.0
"""Longest that a conversion may take."""
_PARTS = {".xml": (".xml", ".bin"), "": (".param", ".bin")}
"""Suffixes of what is not one file."""


@dataclass(frozen=True)
class Peer:
    """A tool with one of its recipes.

    Attributes:
        name: As the table and ``converters.py`` call it.
        scheme: What is int8 in its file.
        environment: A list in ``requirements/``, one of phone_runtimes' runtimes, or ``"project"``.
        runtime: What runs its file: a name of ``worker.py``.
        suffix: Of its file.
        dtype: What its file is fed.
    """

    name: str
    scheme: str
    environment: str
    runtime: str
    suffix: str
    dtype: str = "uint8"

    @property
    def home(self) -> str:
        """The environment that its file runs in; ONNX and TFLite files run in the project's."""
        return self.environment if self.runtime in ("OpenVINO", *phone_runtimes.PHONES) else "project"


PEERS = (
    Peer("ONNX Runtime, defaults", "w8a8", "project", "ONNX Runtime", ".onnx"),
    Peer("ONNX Runtime, U8S8 per channel", "w8a8", "project", "ONNX Runtime", ".onnx"),
    Peer("Olive OnnxStaticQuantization", "w8a8", "olive", "ONNX Runtime", ".onnx", "float32"),
    Peer("Optimum ORTQuantizer", "w8a8", "optimum", "ONNX Runtime", ".onnx", "float32"),
    Peer("ai-edge-quantizer static_wi8_ai8", "w8a8", "project", "LiteRT", ".tflite"),
    Peer("ai-edge-quantizer dynamic_wi8_afp32", "w8, dynamic", "project", "LiteRT", ".tflite"),
    Peer("onnx2tf -oiqt", "w8a8", "onnx2tf", "LiteRT", ".tflite", "float32"),
    Peer("OpenVINO + NNCF, default preset", "w8a8", "openvino", "OpenVINO", ".xml"),
    Peer("OpenVINO + NNCF, mixed preset", "w8a8", "openvino", "OpenVINO", ".xml"),
    Peer("ExecuTorch", "fp32", "ExecuTorch", "ExecuTorch", ".pte"),
    Peer("ExecuTorch, PT2E", "w8a8", "ExecuTorch", "ExecuTorch", ".pte"),
    Peer("ncnn by pnnx", "fp16 weights", "ncnn", "ncnn", "", "float32"),
    Peer("ncnn, int8", "w8a8", "ncnn", "ncnn", "", "float32"),
    Peer("MNN", "fp32", "MNN", "MNN", ".mnn", "float32"),
    Peer("MNN --weightQuantBits 8", "w8", "MNN", "MNN", ".mnn", "float32"),
    Peer("MNN, mnnquant", "w8a8", "MNN", "MNN", ".mnn", "float32"),
    Peer("coremltools linear_quantize_weights", "w8", "project", "Core ML", ".mlpackage"),
)


@dataclass(frozen=True)
class Sources:
    """What every peer starts from.

    Attributes:
        paths: ``path``, ``floats``, ``tflite``, ``mlpackage`` and ``checkpoint``, as converters.py has them.
        photos: Calibration photos, uint8 [N,h,w,3].
    """

    paths: Mapping[str, str]
    photos: Pixels

    @property
    def key(self) -> str:
        """A digest of all of it."""
        files = [digest(Path(path)) for path in self.paths.values()]
        return make_key(files, hashlib.sha256(self.photos.tobytes()).hexdigest())


def gather_sources(artifacts: Path, manifest: Manifest, photos: Pixels, scratch: Path) -> Sources:
    """Return our fp32 files, and the ONNX file that takes floats, which is written to ``scratch``."""
    files = {one.format.suffix: artifacts / one.path for one in manifest.artifacts if one.precision is Precision.FP32}
    floats = next(one.path for one in phone_runtimes.list_subjects(artifacts, scratch) if one.dtype == "float32")
    found = {"path": files[".onnx"], "floats": floats, "tflite": files[".tflite"], "mlpackage": files[".mlpackage"]}
    return Sources({name: str(path.absolute()) for name, path in {**found, "checkpoint": CHECKPOINT}.items()}, photos)


def prepare(name: str) -> Environment:
    """Return an environment, made if it is not there.

    Raises:
        UnavailableError: A wheel, its Python or uv cannot be had.
    """
    if name == "project":
        return Environment("peers", None)
    if name in phone_runtimes.PHONES:
        return phone_runtimes.prepare(name)
    listed = (_LISTS / f"{name}.txt").read_text()
    version = listed.partition("--python-version ")[2].split()[0]
    environment = Environment(f"peer-{name}", listed, python=version)
    environment.prepare()
    if "\n# without torch" in listed:
        phone_runtimes.borrow(environment)
    return environment


def make_file(peer: Peer, sources: Sources, cache: Path) -> Path:
    """Return a peer's file, made now or earlier from the same sources with the same tools.

    Raises:
        ImageQXError: The tool cannot be had, failed or hung.
    """
    environment = prepare(peer.environment)
    code = digest(_HERE / "converters.py")
    folder = (cache / make_key(peer.name, sources.key, code, environment.folder.name)).absolute()
    target = folder / f"peer{peer.suffix}"
    if (folder / "made").exists():
        return target
    with temporary_folder("peers") as scratch:
        pictures = scratch / "photos"
        pictures.mkdir()
        for number, photo in enumerate(sources.photos):
            Image.fromarray(photo).save(pictures / f"{number:04}.png")
        copies = {name: str(_copy(Path(path), scratch)) for name, path in sources.paths.items()}
        folder.mkdir(parents=True, exist_ok=True)
        request = {"mode": "convert", "name": peer.name, "target": str(target), "photos": str(pictures), **copies}
        call(environment, request, sources.photos)
        if not measure_size(target):
            raise ImageQXError(f"{peer.name} wrote nothing", where=target)
        (folder / "made").touch()
    return target


def _copy(path: Path, folder: Path) -> Path:
    """Link a file or package into a folder, as some tools write beside what they read."""
    beside = folder / path.name
    beside.symlink_to(path)
    return beside


def measure_size(target: Path) -> int:
    """Return the bytes of a file with what belongs to it: OpenVINO's and ncnn's are two; 0 where there is none."""
    suffixes = _PARTS.get(target.suffix, (target.suffix,))
    parts = [target.with_name(target.stem + suffix) for suffix in suffixes]
    return sum(count_bytes(part) for part in parts if part.exists())


def run(peer: Peer, target: Path, pixels: Pixels) -> Outputs:
    """Return a file's outputs for photos.

    Raises:
        ImageQXError: It does not run.
    """
    request = {"mode": "run", "runtime": peer.runtime, "target": str(target), "dtype": peer.dtype}
    return call(prepare(peer.home), {**request, "cores": []}, pixels)[1]


def call(environment: Environment, request: dict[str, Any], pixels: Pixels) -> tuple[dict[str, Any], Outputs]:
    """Ask the worker, which finds this repository's code and no other Python.

    Raises:
        ImageQXError: It failed, crashed or hung.
    """
    variables = {
        "PATH": f"{environment.python.parent}:/usr/bin:/bin",
        "PYTHONPATH": str(_ROOT),
        "PIP_NO_INDEX": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "HF_HUB_OFFLINE": "1",
    }
    result, arrays, _ = environment.call(WORKER, request, {"pixels": pixels}, variables, timeout=SECONDS)
    return result, {name: np.asarray(values, np.float32) for name, values in arrays.items()}

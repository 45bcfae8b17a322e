"""A tiny export, keys that are cheap to encrypt, and a release tree: what the tests of releases share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from imageqx_export import networks
from imageqx_export.artifact import Artifact, Format, Manifest, ModelSpec, Precision
from imageqx_export.bundle.manifest import MANIFEST_FILE, PARITY_FILE
from imageqx_export.parity.compare import ArtifactParity, OutputParity, ParityReport
from imageqx_export.release.ceremony import init_keys
from imageqx_export.release.keys import KeyRing, open_keys
from imageqx_export.release.publish import PublishConfig, Published, publish
from imageqx_export.release.store import FolderStore, Store
from imageqx_export.support.files import count_bytes, digest

MINIMUM: Mapping[Format, dict[str, str]] = {
    Format.TFLITE: {"litert": "1.1.2"},
    Format.ONNX: {"onnxruntime": "1.16.0"},
    Format.COREML: {"ios": "16"},
}
KINDS = ((Format.TFLITE, Precision.W8A8), (Format.ONNX, Precision.FP32), (Format.COREML, Precision.FP16))


def passphrase(root: bool) -> str:
    """Return another passphrase for the root."""
    return "offline" if root else "online"


@dataclass(frozen=True)
class Publisher:
    """Keys and a release tree.

    Args:
        folder: Has ``keys/`` and ``tree/``.
        store: The tree.
    """

    folder: Path
    store: Store

    @property
    def keys(self) -> Path:
        """The keys' folder."""
        return self.folder / "keys"

    @property
    def tree(self) -> Path:
        """The tree's folder."""
        return self.folder / "tree"

    @property
    def root(self) -> Path:
        """The first root, as an app has it."""
        return self.folder / "root.json"

    def ring(self, days: Mapping[str, float] | None = None) -> KeyRing:
        """Return the decrypted keys."""
        return open_keys(self.keys, passphrase, days=days)

    def publish(self, export: Path, version: str, channel: str = "stable", store: Store | None = None) -> Published:
        """Publish an export."""
        config = PublishConfig(export, version, export.parent / "model.safetensors", channel=channel)
        return publish(config, store or self.store, self.ring())


def make_publisher(folder: Path, root_keys: int = 1, threshold: int = 1) -> Publisher:
    """Make keys and an empty tree."""
    publisher = Publisher(folder, FolderStore(folder / "tree"))
    init_keys(publisher.store, publisher.keys, passphrase, rounds=1, root_keys=root_keys, threshold=threshold)
    publisher.root.write_bytes((publisher.keys / "root.json").read_bytes())
    return publisher


_OUTPUT = OutputParity(
    output="quality",
    max_abs=1e-3,
    mean_abs=1e-4,
    cosine=1.0,
    sqnr_db=60.0,
    decisions=1,
    differing=0,
    excused=0,
    problems=(),
)


def write_export(folder: Path, seed: int = 0, spec: ModelSpec | None = None, size: int = 4000) -> Path:
    """Write three files that look like an export's, and the checkpoint beside the folder; return the folder."""
    export = folder / "imageqx"
    export.mkdir(parents=True)
    checkpoint = folder / "model.safetensors"
    header = '{"metrics": {"quality_macro_f1": 0.9, "quality": {"lesion": {"f1": 0.8}}}}'
    save_file({"w": np.full(3, seed, np.float32)}, checkpoint, {"imageqx_export": header})
    random = np.random.default_rng(seed)
    artifacts, rows = [], []
    for format, precision in KINDS:
        path = export / f"imageqx_{precision}{format.suffix}"
        inside = ("Manifest.json", "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin")
        for file in [path / name for name in inside] if format is Format.COREML else [path]:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(random.bytes(size))
            file.chmod(0o600)
        rows.append(ArtifactParity(path=path.name, precision=precision, outputs=(_OUTPUT,)))
        artifacts.append(
            Artifact(
                path=Path(path.name),
                format=format,
                precision=precision,
                spec=(spec or networks.spec("imageqx")).model_copy(update={"min_runtime": MINIMUM[format]}),
                sha256=digest(path),
                size_bytes=count_bytes(path),
                checkpoint_sha256=digest(checkpoint),
                tool_versions={"torch": "2.13.0+cu130", str(format): "1.0"},
            )
        )
    (export / "golden").mkdir()
    (export / "golden" / "00.png").write_bytes(random.bytes(100))
    manifest = Manifest(
        model="imageqx",
        checkpoint_sha256=digest(checkpoint),
        artifacts=tuple(artifacts),
        golden={"00.png": digest(export / "golden" / "00.png")},
    )
    (export / MANIFEST_FILE).write_text(manifest.model_dump_json())
    report = ParityReport(checkpoint_sha256=digest(checkpoint), images=1, source="generated", artifacts=tuple(rows))
    (export / PARITY_FILE).write_text(report.model_dump_json())
    return export

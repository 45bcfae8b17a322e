"""Ask Qualcomm's compiler and simulator about one file: ``python worker.py REQUEST.json RESULT.json``.

Stands alone, as it runs in an environment without this project. REQUEST has ``path`` (.onnx or .tflite), ``soc`` (QNN's
number), ``chip`` (its name), ``folder`` (for working files), ``steps``; REQUEST.npz has ``pixels``, uint8 [N,h,w,3].
RESULT.npz has the outputs by name, float32, the batch first.

``providers=["QNNExecutionProvider"]`` would run on the CPU without a word, and agree exactly: the device is added by
name, with a chip, and without fallback.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxruntime_qnn

sys.path.append(str(Path(__file__).parent))
from litert import compile_tflite, wrap_context
from operators import count_steps

REFUSED = re.compile(r"backendValidateOpConfig\(\) failed for node `[^`]*` of type `([^`]*)` with error code (\d+)")
UNSUPPORTED = re.compile(r"\{ name: [^,}]*, type: (\w+) \}")
LITERT = re.compile(r"selected ([0-9]{1,9}) ops, from a total of ([0-9]{1,9}) ops")
MOVED = re.compile(r"(?:read|write)_total_bytes=([0-9]{1,18})\b")


def open_session(model: str | bytes, soc: int, log_level: int = 2) -> Any:
    """Return a session of which every operation is on the simulated NPU.

    Args:
        model: A file, or its content.
        soc: QNN's number of the chip.
        log_level: ONNX Runtime's: 2, as its warnings name what the compiler refuses; 0, at which alone QNN tells its
            traffic, if the default logger has that level too.

    Raises:
        Exception: ONNX Runtime's own, where one is not.
    """
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    options.log_severity_level = log_level
    options.add_provider_for_devices(
        devices(), {"backend_path": onnxruntime_qnn.get_qnn_htp_path(), "soc_model": str(soc)}
    )
    return onnxruntime.InferenceSession(model, options)


def devices() -> list[Any]:
    """Return the simulated device."""
    if not any(device.ep_name == "QNN" for device in onnxruntime.get_ep_devices()):
        onnxruntime.register_execution_provider_library("QNN", onnxruntime_qnn.get_library_path())
    return [device for device in onnxruntime.get_ep_devices() if device.ep_name == "QNN"][:1]


@contextlib.contextmanager
def capture() -> Iterator[list[str]]:
    """Collect what is printed, C++'s output included, into a list of one text."""
    found: list[str] = []
    saved = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield found
        finally:
            for number, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            found.append(file.read().decode(errors="replace"))


def run_onnx(path: Path, request: dict[str, Any], pixels: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compile and run an ONNX file."""
    model = onnx.load(str(path))
    total = sum(node.op_type not in ("QuantizeLinear", "DequantizeLinear") for node in model.graph.node)
    trouble, session = None, None
    onnxruntime.set_default_logger_severity(0)  # before QNN is loaded; see open_session
    with capture() as printed:
        try:
            session = open_session(str(path), request["soc"], log_level=0)
        except Exception as error:
            trouble = str(error).splitlines()[0]
    onnxruntime.set_default_logger_severity(2)
    refused = read_refusals(printed[0])
    result: dict[str, Any] = {
        "total": total,
        "accelerated": total - sum(row["count"] for row in refused),
        "refused": refused,
        "trouble": trouble,
        "dram_bytes": read_traffic(printed[0]),
    }
    if session is None:
        return result, {}
    names = [value.name for value in session.get_outputs()]
    return result, run_session(session, names, names, pixels)


def read_refusals(log: str) -> list[dict[str, Any]]:
    """Count the operations in ONNX Runtime's first list of what is not for the NPU, with the compiler's code."""
    _, mark, listed = log.partition("Unsupported nodes in QNN EP:")
    kinds = Counter(UNSUPPORTED.findall(listed.splitlines()[0])) if mark else Counter()
    codes = {code for _, code in REFUSED.findall(log)}
    reason = "QNN.backendValidateOpConfig failed, code " + ", ".join(sorted(codes)) if codes else ""
    return [{"operator": kind, "count": count, "reason": reason} for kind, count in kinds.items()]


def read_traffic(log: str) -> int | None:
    """Return the bytes that one inference writes to DRAM and reads from it, as QNN planned; None where it is silent."""
    moved = MOVED.findall(log.partition("DDR bandwidth summary")[2])
    return sum(map(int, moved[-2:])) if moved else None


def run_tflite(path: Path, request: dict[str, Any], pixels: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compile a TFLite file ahead of time, and run the context that comes out."""
    compiled, log = compile_tflite(path, request["chip"], Path(request["folder"]))
    counts = LITERT.search(log)
    accelerated, total = map(int, counts.groups()) if counts else (0, 0)
    result: dict[str, Any] = {"total": total, "accelerated": accelerated, "refused": [], "trouble": None}
    result["dram_bytes"] = read_traffic(log)
    if compiled is None:
        lines = [line for line in log.splitlines() if line.startswith(("ERROR", "└"))]
        result["trouble"] = " ".join(lines)[:400] or "apply_plugin_main failed"
        return result, {}
    if accelerated < total:
        result["trouble"] = "parts stay on the CPU: LiteRT has no dispatch library for x86 to run such a file with"
        return result, {}
    context, names = wrap_context(compiled)
    session = open_session(context, request["soc"])
    found = run_session(session, [value.name for value in session.get_outputs()], names, pixels)
    return result, found


def run_session(session: Any, given: list[str], names: list[str], pixels: Any) -> dict[str, Any]:
    """Run picture by picture; return float32 by name."""
    feed = session.get_inputs()[0]
    kind = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[feed.type]
    rows = [session.run(given, {feed.name: one[None].astype(kind)}) for one in pixels]
    return {name: np.concatenate([row[i] for row in rows]).astype(np.float32) for i, name in enumerate(names)}


def run_control(request: dict[str, Any]) -> dict[str, Any]:
    """Double every byte by way of the Cast that the compiler gets wrong, and say how many come out wrong."""
    two = onnx.numpy_helper.from_array(np.float32(2), "two")
    nodes = [
        onnx.helper.make_node("Cast", ["x"], ["f"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Mul", ["f", "two"], ["y"]),
    ]
    ends = [
        onnx.helper.make_tensor_value_info(name, kind, (1, 256))
        for name, kind in (("x", onnx.TensorProto.UINT8), ("y", onnx.TensorProto.FLOAT))
    ]
    graph = onnx.helper.make_graph(nodes, "control", ends[:1], ends[1:], [two])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    bytes_ = np.arange(256, dtype=np.uint8)[None]
    (got,) = open_session(model.SerializeToString(), request["soc"]).run(None, {"x": bytes_})
    wrong = int((np.abs(got - 2.0 * bytes_) > 0.5).sum())
    return {"wrong": wrong, "first": [float(value) for value in got[0, :4]]}


def main(argv: list[str]) -> int:
    """Answer the request."""
    asked, answered = map(Path, argv)
    request = json.loads(asked.read_text())
    arrays: dict[str, Any] = {}
    if request["mode"] == "control":
        result = run_control(request)
    else:
        path, pixels = Path(request["path"]), np.load(asked.with_suffix(".npz"))["pixels"]
        run = run_onnx if path.suffix == ".onnx" else run_tflite
        result, arrays = run(path, request, pixels)
        if request["steps"] and arrays and path.suffix == ".onnx":
            result["steps"] = count_steps(path, pixels[:1], lambda model: open_session(model, request["soc"]))
    result["qnn"] = onnxruntime_qnn.build_and_package_info.qnn_version
    np.savez(answered.with_suffix(".npz"), **arrays)
    answered.write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

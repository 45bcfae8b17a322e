"""Convert an ONNX file for another phone runtime, or run what came out: ``python … REQUEST.json RESULT.json``.

Stands alone, in an environment that has one of the runtimes. REQUEST has ``mode`` ("convert" or "run"), ``runtime``,
``path``, ``target`` (what converting writes, and running reads) and ``runs``; REQUEST.npz has ``pixels``, uint8
[N,h,w,3]. RESULT has ``message``, a converter's last words, or ``seconds`` of single inferences on one thread, copies
in and out included; RESULT.npz then has the outputs by name, float32, the batch first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

NAMES = ("quality", "explanations", "attention")
SHAPES = ((1, 4), (1, 5), (1, 5, 7, 7))
Run = Callable[[Any], list[Any]]
"""One picture [1,h,w,3] in, the three outputs out."""


def call(*command: str, folder: Path) -> str:
    """Run a converter and return its last line; raise what it says where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {lines[-1] if lines else 'no word'}")
    troubles = [line for line in lines if line.startswith(("ignore ", "Error", "todo "))]
    return troubles[0] if troubles else lines[-1]


def convert_ncnn(request: dict[str, Any]) -> str:
    """Convert with pnnx, which writes beside the file that it reads."""
    import importlib.util

    found = importlib.util.find_spec("pnnx")
    assert found is not None and found.origin is not None
    path, kind = Path(request["path"]), request["kind"]
    message = call(
        str(Path(found.origin).with_name("pnnx")), path.name, f"inputshape=[1,224,224,3]{kind}", folder=path.parent
    )
    for part in ("param", "bin"):
        (path.parent / f"{path.stem}.ncnn.{part}").replace(f"{request['target']}.{part}")
    return message


def open_ncnn(request: dict[str, Any]) -> Run:
    """Open a .param with its .bin."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads, net.opt.use_fp16_arithmetic, net.opt.use_fp16_storage = 1, False, False
    net.opt.use_bf16_storage, net.opt.use_fp16_packed = False, False
    if net.load_param(f"{request['target']}.param") or net.load_model(f"{request['target']}.bin"):
        raise RuntimeError("ncnn does not load the graph")

    def run(picture: Any) -> list[Any]:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(np.ascontiguousarray(picture[0])))
        found = [extractor.extract(f"out{k}") for k in range(3)]
        if any(code for code, _ in found):
            raise RuntimeError("ncnn does not run the graph")
        return [np.array(mat) for _, mat in found]

    return run


def convert_mnn(request: dict[str, Any]) -> str:
    """Convert with MNNConvert. It calls pip by itself, which finds none in this environment."""
    program = "import sys; from MNN.tools.mnnconvert import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "-f", "ONNX", "--modelFile", request["path"]]
    return call(*command, "--MNNModel", request["target"], "--bizCode", "x", folder=Path(request["path"]).parent)


def open_mnn(request: dict[str, Any]) -> Run:
    """Open a .mnn with full precision."""
    import MNN

    manager = MNN.nn.create_runtime_manager(({"backend": 0, "precision": "high", "numThread": 1},))
    net = MNN.nn.load_module_from_file(request["target"], ["image"], list(NAMES), runtime_manager=manager)

    def run(picture: Any) -> list[Any]:
        kind = MNN.expr.uint8 if picture.dtype == np.uint8 else MNN.expr.float
        found = net.forward([MNN.expr.const(np.ascontiguousarray(picture), list(picture.shape), MNN.expr.NCHW, kind)])
        return [np.array(MNN.expr.convert(value, MNN.expr.NCHW).read()) for value in found]

    return run


def convert_executorch(request: dict[str, Any]) -> str:
    """Convert the checkpoint for XNNPACK; it reads no ONNX."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    from imageqx_export.checkpoint import load_checkpoint

    _, network = load_checkpoint(Path(request["checkpoint"]), "imageqx")
    example = torch.zeros((1, 224, 224, 3), dtype=torch.uint8)
    program = torch.export.export(network.fold("NHWC").eval(), (example,))
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
    Path(request["target"]).write_bytes(lowered.buffer)
    return "to_edge_transform_and_lower, XnnpackPartitioner"


def open_executorch(request: dict[str, Any]) -> Run:
    """Open a .pte."""
    import torch
    from executorch.runtime import Runtime

    torch.set_num_threads(1)
    method = Runtime.get().load_program(request["target"]).load_method("forward")
    return lambda picture: [value.numpy().copy() for value in method.execute([torch.from_numpy(picture)])]


def open_onnxruntime(request: dict[str, Any]) -> Run:
    """Open the ONNX file itself: what the others are compared with."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(request["path"], options, providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0].name
    return lambda picture: list(session.run(list(NAMES), {feed: picture}))


CONVERTERS = {"ncnn": convert_ncnn, "MNN": convert_mnn, "ExecuTorch": convert_executorch}
OPENERS = {"ncnn": open_ncnn, "MNN": open_mnn, "ExecuTorch": open_executorch, "ONNX Runtime": open_onnxruntime}


def name_outputs(rows: list[list[Any]]) -> Iterator[tuple[str, Any]]:
    """Yield the outputs by name; raise where one has not the numbers that it must have."""
    for k, (name, shape) in enumerate(zip(NAMES, SHAPES, strict=True)):
        sizes = {row[k].size for row in rows}
        if sizes != {int(np.prod(shape))}:
            raise ValueError(f"{name} has the shape {list(rows[0][k].shape)}, expected {list(shape)}")
        yield name, np.concatenate([row[k].reshape(shape).astype(np.float32) for row in rows])


def main(argv: list[str]) -> int:
    """Answer the request."""
    asked, answered = map(Path, argv)
    request = json.loads(asked.read_text())
    arrays: dict[str, Any] = {}
    if request["mode"] == "convert":
        result: dict[str, Any] = {"message": CONVERTERS[request["runtime"]](request)}
    else:
        run = OPENERS[request["runtime"]](request)
        pixels = np.load(asked.with_suffix(".npz"))["pixels"]
        pictures = [np.ascontiguousarray(one[None].astype(request["dtype"])) for one in pixels]
        arrays = dict(name_outputs([run(picture) for picture in pictures]))
        seconds = []
        for _ in range(request["runs"]):
            begin = time.perf_counter()
            run(pictures[0])
            seconds.append(time.perf_counter() - begin)
        result = {"seconds": seconds}
    np.savez(answered.with_suffix(".npz"), **arrays)
    answered.write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

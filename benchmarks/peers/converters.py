"""How each peer makes its file, with what its own documentation advises; every function runs in the peer's environment.

All take a request and calibration photos, uint8 [N,h,w,3]. The request has ``path``, our fp32.onnx, which takes bytes;
``floats``, the same without its first operation, which takes them as floats; ``tflite`` and ``mlpackage``, our fp32
files; ``checkpoint``; ``photos``, a folder of the calibration photos as PNG; and ``target``, what is to be written.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import phone_runtimes_worker as phones

Request = dict[str, Any]
Convert = Callable[[Request, Any], None]


def _call_int8_peer(name: str, source: str) -> Convert:
    """Return a converter of bench_int8's: the tool with its defaults."""

    def convert(request: Request, photos: Any) -> None:
        from benchmarks import int8_peers

        getattr(int8_peers, name)(Path(request[source]), Path(request["target"]), photos)

    return convert


class _Reader:
    """Photos one after the other, as ONNX Runtime's calibration asks for them."""

    def __init__(self, photos: Any) -> None:
        self._feeds: Iterator[dict[str, Any]] = iter([{"image": photo[None]} for photo in photos])

    def get_next(self) -> dict[str, Any] | None:
        """Return the next, or None."""
        return next(self._feeds, None)


def quantize_u8s8(request: Request, photos: Any) -> None:
    """Call ONNX Runtime's quantize_static as its documentation advises on x86 with VNNI: U8S8, QDQ, per channel."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = f"{request['target']}.prepared.onnx"
    quant_pre_process(request["path"], prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        request["target"],
        _Reader(photos),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    Path(prepared).unlink()


def _call_nncf(mixed: bool) -> Convert:
    """Return a call of NNCF's post-training quantization with its default preset, or the one for SiLU and its like."""

    def convert(request: Request, photos: Any) -> None:
        import nncf
        import openvino

        preset = nncf.QuantizationPreset.MIXED if mixed else None
        data = nncf.Dataset([photo[None] for photo in photos])
        model = openvino.Core().read_model(request["path"])
        openvino.save_model(nncf.quantize(model, data, preset=preset, subset_size=len(photos)), request["target"])

    return convert


def quantize_olive(request: Request, photos: Any) -> None:
    """Run Olive's pass OnnxStaticQuantization with its preparation, U8S8 and per channel."""
    from olive.data.config import DataComponentConfig, DataConfig
    from olive.data.registry import Registry
    from olive.model import ONNXModelHandler
    from olive.passes.olive_pass import create_pass_from_dict
    from olive.passes.onnx.quantization import OnnxStaticQuantization

    @Registry.register_dataset("peer")  # type: ignore[untyped-decorator]
    def load(data_dir: Any = None, **_: Any) -> Any:
        return [({"image": photo.astype(np.float32)}, 0) for photo in photos]

    parts = {
        "load_dataset_config": DataComponentConfig(type="peer"),
        "dataloader_config": {"params": {"batch_size": 1}},
    }
    options = {
        "data_config": DataConfig(name="peer", **parts),
        "quant_format": "QDQ",
        "activation_type": "uint8",
        "precision": "int8",
        "per_channel": True,
    }
    step = create_pass_from_dict(OnnxStaticQuantization, options, disable_search=True)
    step.run(ONNXModelHandler(request["floats"]), request["target"])


def quantize_optimum(request: Request, photos: Any) -> None:
    """Call Optimum's ORTQuantizer with its configuration for AVX512 with VNNI, static and per channel."""
    from onnxruntime.quantization import CalibrationMethod
    from optimum.onnxruntime import ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig, CalibrationConfig

    source = Path(request["floats"])
    quantizer = ORTQuantizer.from_pretrained(source.parent, file_name=source.name)
    recipe = AutoQuantizationConfig.avx512_vnni(is_static=True, per_channel=True)
    about = CalibrationConfig("peer", "peer", "train", len(photos), CalibrationMethod.MinMax)
    rows = [{"image": photo.astype(np.float32)} for photo in photos]
    ranges = quantizer.fit(rows, about, operators_to_quantize=recipe.operators_to_quantize)
    made = Path(request["folder"]) / "made"
    quantizer.quantize(recipe, made, calibration_tensors_range=ranges)
    next(made.glob("*_quantized.onnx")).replace(request["target"])


def quantize_onnx2tf(request: Request, photos: Any) -> None:
    """Call onnx2tf for integers inside and floats at both ends, per channel."""
    folder = Path(request["folder"])
    np.save(folder / "photos.npy", photos.astype(np.float32) / np.float32(255))
    program = "import sys; from onnx2tf import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "-i", request["floats"], "-o", str(folder / "made"), "-kat", "image"]
    # The tool takes 0…1 and gives the graph (x − mean) / std, which here are bytes as floats again.
    data = [
        "-cind",
        "image",
        str(folder / "photos.npy"),
        "[[[[0,0,0]]]]",
        "[[[[0.00392156862,0.00392156862,0.00392156862]]]]",
    ]
    phones.call(*command, "-oiqt", *data, "-iqd", "float32", "-oqd", "float32", folder=folder)
    next((folder / "made").glob("*_integer_quant.tflite")).replace(request["target"])


def quantize_executorch(request: Request, photos: Any) -> None:
    """Quantize the checkpoint by PT2E with XNNPACK's own quantizer, per channel, and lower it to XNNPACK."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from imageqx_export.checkpoint import load_checkpoint

    _, network = load_checkpoint(Path(request["checkpoint"]), "imageqx")
    example = (torch.zeros((1, 224, 224, 3), dtype=torch.uint8),)
    graph = torch.export.export(network.fold("NHWC").eval(), example).module()
    recipe = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(graph, recipe)
    with torch.no_grad():
        for photo in photos:
            prepared(torch.from_numpy(photo[None]))
    program = torch.export.export(convert_pt2e(prepared), example)
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
    Path(request["target"]).write_bytes(lowered.buffer)


def convert_executorch(request: Request, photos: Any) -> None:
    """Lower the checkpoint to XNNPACK in float32."""
    phones.convert_executorch(request)


def convert_ncnn(request: Request, photos: Any) -> None:
    """Convert with pnnx, which takes float16 for the weights unless told otherwise."""
    phones.convert_ncnn({**request, "path": request["floats"], "kind": "f32"})


def refuse_ncnn(request: Request, photos: Any) -> None:
    """Say why there is no int8 of ncnn."""
    raise RuntimeError("ncnn2table and ncnn2int8 are in no wheel of ncnn or pnnx")


def _call_mnn(*options: str) -> Convert:
    """Return a call of MNNConvert with options."""

    def convert(request: Request, photos: Any) -> None:
        program = "import sys; from MNN.tools.mnnconvert import main; sys.exit(main())"
        command = [sys.executable, "-c", program, "-f", "ONNX", "--modelFile", request["floats"], "--bizCode", "x"]
        phones.call(*command, "--MNNModel", request["target"], *options, folder=Path(request["folder"]))

    return convert


def quantize_mnn(request: Request, photos: Any) -> None:
    """Convert, and call MNN's offline quantization with its defaults."""
    import json

    folder, plain = Path(request["folder"]), f"{request['target']}.plain"
    _call_mnn()({**request, "target": plain}, photos)
    config = {
        "format": "RGB",
        "mean": [0.0, 0.0, 0.0],
        "normal": [1.0, 1.0, 1.0],
        "width": 224,
        "height": 224,
        "path": f"{request['photos']}/",
        "used_image_num": len(photos),
        "feature_quantize_method": "KL",
        "weight_quantize_method": "MAX_ABS",
    }
    (folder / "config.json").write_text(json.dumps(config))
    program = "import sys; from MNN.tools.mnnquant import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, plain, request["target"], str(folder / "config.json")],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    Path(plain).unlink()
    if done.returncode or not Path(request["target"]).exists():
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise RuntimeError(f"exit code {done.returncode}: {lines[-1] if lines else 'no word'}")


CONVERTERS: dict[str, Convert] = {
    "ONNX Runtime, defaults": _call_int8_peer("quantize_static", "path"),
    "ONNX Runtime, U8S8 per channel": quantize_u8s8,
    "ai-edge-quantizer static_wi8_ai8": _call_int8_peer("static_wi8_ai8", "tflite"),
    "ai-edge-quantizer dynamic_wi8_afp32": _call_int8_peer("dynamic_wi8_afp32", "tflite"),
    "coremltools linear_quantize_weights": _call_int8_peer("linear_quantize_weights", "mlpackage"),
    "OpenVINO + NNCF, default preset": _call_nncf(mixed=False),
    "OpenVINO + NNCF, mixed preset": _call_nncf(mixed=True),
    "Olive OnnxStaticQuantization": quantize_olive,
    "Optimum ORTQuantizer": quantize_optimum,
    "onnx2tf -oiqt": quantize_onnx2tf,
    "ExecuTorch": convert_executorch,
    "ExecuTorch, PT2E": quantize_executorch,
    "ncnn by pnnx": convert_ncnn,
    "ncnn, int8": refuse_ncnn,
    "MNN": _call_mnn(),
    "MNN --weightQuantBits 8": _call_mnn("--weightQuantBits", "8"),
    "MNN, mnnquant": quantize_mnn,
}
"""By the peer's name in ``tools.py``."""

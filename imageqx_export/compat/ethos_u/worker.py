"""Compile one TFLite file with Vela, or run it with TOSA's reference model: ``python worker.py REQUEST RESULT``.

Stands alone, as it runs in an environment without this project. REQUEST.json has ``path``, ``folder`` (for working
files), and ``mode``: ``"compile"``, for the ``configuration`` that Vela calls the chip, or ``"compute"``, for the
``pixels`` in REQUEST.npz, uint8 [N,h,w,3]; RESULT.npz then has the outputs by the signature's names, float32, the batch
first.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

REFUSED = re.compile(r"Warning \(supported operators\) operator: (\w+), ofm: '([^']*)'\n\s*Reason: ([^\n]+)")
# The converter writes what the quantizer left float as another dialect's constants, which TOSA's serializer does not
# know; they are TOSA's own constants in every other respect.
CONSTANT = re.compile(r"stablehlo\.constant (dense<[^\n]*>) : (tensor<[^>]*>)$", re.MULTILINE)
ENDS = re.compile(r'tf_saved_model\.index_path = \["([^"]+)"\]')


def compile_file(path: Path, configuration: str, folder: Path) -> dict[str, Any]:
    """Return Vela's coverage, traffic and estimate."""
    printed = _call("vela", str(path), f"--accelerator-config={configuration}", f"--output-dir={folder}", folder=folder)
    refused = [{"operator": kind, "reason": why.strip()} for kind, _, why in dict.fromkeys(REFUSED.findall(printed))]
    (summary,) = folder.glob("*_summary_*.csv")
    with summary.open(newline="") as file:
        row = next(csv.DictReader(file))
    moved = sum(float(row[name]) for name in ("dram_total_bytes", "off_chip_flash_total_bytes"))
    accelerated = re.search(r"NPU operators = (\d+)", printed)
    return {
        "refused": refused,
        "dram_bytes": int(moved),
        "seconds": float(row["inference_time"]),
        "npu": int(accelerated[1]) if accelerated else 0,
    }


def count_operators(path: Path) -> int:
    """Return the number of operators in a file; Vela's own count is of what it made of them."""
    from ethosu.vela.tflite.Model import Model

    return int(Model.GetRootAs(bytearray(path.read_bytes()), 0).Subgraphs(0).OperatorsLength())


def compute(path: Path, pixels: Any, folder: Path) -> dict[str, Any]:
    """Return the outputs with TOSA's integers.

    Raises:
        RuntimeError: One of TOSA's tools does not take the file.
    """
    text, mended, graph = folder / "graph.mlir", folder / "mended.mlir", folder / "graph.tosa"
    schema = Path(sysconfig.get_path("purelib")) / "bin" / "tosa.fbs"
    _call("tosa-converter-for-tflite", str(path), "--text", "-o", str(text), folder=folder)
    content = text.read_text()
    mended.write_text(CONSTANT.sub(r'"tosa.const"() <{values = \1 : \2}> : () -> \2', content))
    _call(
        "tosa-opt",
        str(mended),
        "--tosa-convert-integer-type-to-signless",
        "--tosa-serialize",
        f"--tosa-flatbuffer-filename={graph}",
        f"--tosa-flatbuffer-schema={schema}",
        "-o",
        str(folder / "nothing"),
        folder=folder,
    )
    names = ENDS.findall(content.partition("{tf.entry_function")[0] or content)[1:]
    files = [f"{index}.npy" for index in range(len(names))]
    rows: dict[str, list[Any]] = {name: [] for name in names}
    for one in pixels:
        np.save(folder / "in.npy", one[None])
        _call(
            "tosa_reference_model",
            f"--tosa_file={graph.name}",
            f"--flatbuffer_dir={folder}",
            f"--output_dir={folder}",
            f"--operator_fbs={schema}",
            "--ifm_name=TosaInput_0",
            "--ifm_file=in.npy",
            "--tosa_level=NONE",
            "--ofm_name=" + ",".join(f"TosaOutput_{index}" for index in range(len(names))),
            "--ofm_file=" + ",".join(files),
            folder=folder,
        )
        for name, file in zip(names, files, strict=True):
            rows[name].append(np.load(folder / file).astype(np.float32))
    return {name: np.concatenate(row) for name, row in rows.items()}


def _call(tool: str, *arguments: str, folder: Path) -> str:
    tie = os.environ.get("IMAGEQX_TIED")  # a script that ends a program with the process that started it
    tied = [sys.executable, "-I", "-S", tie, str(os.getpid())] if tie else []
    command = [*tied, str(Path(sys.executable).with_name(tool)), *arguments]
    result = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if result.returncode != 0:
        lines = [line for line in result.stdout.splitlines() if "rror" in line] or result.stdout.splitlines()[-1:]
        raise RuntimeError(f"{tool}: {lines[0][:300] if lines else 'no word'}")
    return result.stdout


def main(argv: list[str]) -> int:
    """Answer the request."""
    asked, answered = map(Path, argv)
    request = json.loads(asked.read_text())
    path, folder = Path(request["path"]), Path(request["folder"])
    arrays: dict[str, Any] = {}
    result: dict[str, Any] = {"total": count_operators(path), "trouble": None}
    result["versions"] = {name: version(name) for name in ("ethos-u-vela", "tosa-tools")}
    try:
        if request["mode"] == "compile":
            result |= compile_file(path, request["configuration"], folder)
        else:
            arrays = compute(path, np.load(asked.with_suffix(".npz"))["pixels"], folder)
    except RuntimeError as error:
        result["trouble"] = str(error)
    np.savez(answered.with_suffix(".npz"), **arrays)
    answered.write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

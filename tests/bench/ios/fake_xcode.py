"""Stand in for ``xcrun``, ``devicectl`` and ``xcodebuild``, and for a phone with coremltools' runner on it.

``main`` reads ``NAME ARGUMENTS`` from the command line (``fakes_ios.START``), and the folder of a scenario from
``FAKE_XCODE``. ``answers.json`` there gives, by subcommand, what devicectl writes and how it exits; every call is
appended to ``calls.jsonl``. What the answers do not name, the phone in ``phone/`` does itself, as coremltools 9.0's
``ModelService.swift`` does it: starts and stops, takes files, loads, predicts, tells its compute plan. It uses the
standard library alone, and imports late, as it starts often.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

LOAD_NANOSECONDS = 41_000_000
FIRST_NANOSECONDS = 9_000_000
STEADY_NANOSECONDS = (3_000_000, 3_100_000, 2_900_000)
MESSAGES = "Documents/modelrunnerd/requests/messages"


def main() -> int:
    """Act as the program that was called."""
    name, arguments = sys.argv[1], sys.argv[2:]
    home = Path(os.environ["FAKE_XCODE"])
    with (home / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps([name, *arguments]) + "\n")
    if name == "xcrun" and arguments[0] == "--find":
        return find(home, arguments[1])
    if name == "xcrun":
        name, arguments = arguments[0], arguments[1:]
    return xcodebuild(home, arguments) if name == "xcodebuild" else devicectl(home, arguments)


def find(home: Path, tool: str) -> int:
    """``xcrun --find``; its errors are Apple's."""
    complaint = answers(home).get(f"--find {tool}")
    if complaint:
        print(complaint["stderr"], file=sys.stderr)
        return int(complaint["code"])
    print(home / "bin" / tool)
    return 0


def xcodebuild(home: Path, arguments: list[str]) -> int:
    """``xcodebuild -version`` and a build: an app where SYMROOT says, or Xcode's complaint."""
    if arguments == ["-version"]:
        print("Xcode 16.3\nBuild version 16E140")
        return 0
    complaint = answers(home).get("xcodebuild")
    if complaint:
        print(complaint["stdout"])
        return int(complaint["code"])
    settings = dict(word.split("=", 1) for word in arguments if "=" in word)
    app = Path(settings["SYMROOT"]) / "Release-iphoneos" / "ModelRunner.app"
    app.mkdir(parents=True)
    (app / "Info.plist").write_text(settings["PRODUCT_BUNDLE_IDENTIFIER"])
    return 0


def devicectl(home: Path, arguments: list[str]) -> int:
    """Replay what the scenario has for this subcommand, or be the phone."""
    words = [word for word in arguments[:4] if not word.startswith("-")]
    key = next((k for n in (4, 3, 2) if (k := " ".join(words[:n])) in answers(home)), None)
    if key is not None:
        answer = answers(home)[key]
        if isinstance(answer, list):  # one a call; the last one stays
            done = sum(key in " ".join(json.loads(line)) for line in (home / "calls.jsonl").open())
            answer = answer[min(done, len(answer)) - 1]
        write(arguments, answer.get("json"))
        print(answer.get("stderr", ""), file=sys.stderr)
        return int(answer.get("code", 0))
    phone = Phone(home / "phone")
    if words[:3] == ["device", "process", "launch"]:
        return phone.run()
    if words[:3] == ["device", "copy", "to"]:
        return phone.take(Path(option(arguments, "--source")), option(arguments, "--destination"), arguments)
    if words[:3] == ["device", "copy", "from"]:
        return phone.give(option(arguments, "--source"), Path(option(arguments, "--destination")), arguments)
    print(f"no answer for {words}", file=sys.stderr)
    return 64


def answers(home: Path) -> dict[str, Any]:
    """Return the scenario's answers by subcommand."""
    loaded: dict[str, Any] = json.loads((home / "answers.json").read_text())
    return loaded


def option(arguments: list[str], name: str) -> str:
    """Return the value of ``--name VALUE`` or ``--name=VALUE``."""
    joined = [word.split("=", 1)[1] for word in arguments if word.startswith(f"{name}=")]
    return joined[0] if joined else arguments[arguments.index(name) + 1]


def write(arguments: list[str], answer: Any) -> None:
    """Write the JSON file that was asked for; an answer that is text is written as it is."""
    name = "--json-output" if "--json-output" in arguments else "-j"
    if answer is not None and name in arguments:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        Path(option(arguments, name)).write_text(text)


class Phone:
    """A phone whose files lie in a folder, with the runner running or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "runner.json"

    def run(self) -> int:
        """Run the app until it is terminated, as ``--console`` does; a fresh process knows no models."""
        import signal
        import time

        launches = json.loads(self.state.read_text())["launches"] if self.state.exists() else 0
        self.save({"pid": os.getpid(), "launches": launches + 1, "models": {}, "predictions": 0})
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
        while True:
            time.sleep(60)

    def save(self, state: dict[str, Any]) -> None:
        """Keep what the app has in memory."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state.write_text(json.dumps(state))

    def alive(self) -> dict[str, Any] | None:
        """Return the app's memory, or None if it does not run."""
        if not self.state.exists():
            return None
        state: dict[str, Any] = json.loads(self.state.read_text())
        try:
            os.kill(state["pid"], 0)
        except ProcessLookupError:
            return None
        return state

    def take(self, source: Path, destination: str, arguments: list[str]) -> int:
        """Copy a file or folder to the phone; a message is answered at once if the app runs."""
        import shutil

        state = self.alive()
        if state is None:
            print("ERROR: The app container does not exist yet.", file=sys.stderr)
            return 1
        target = self.folder / destination
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)
        write(arguments, {"result": {"source": str(source), "destination": destination}})
        if destination.startswith(MESSAGES):
            self.answer(json.loads(target.read_text()), state)
        return 0

    def give(self, source: str, destination: Path, arguments: list[str]) -> int:
        """Copy a file from the phone."""
        if not (self.folder / source).exists():
            print(f"ERROR: {source}: No such file or directory", file=sys.stderr)
            return 1
        destination.write_bytes((self.folder / source).read_bytes())
        write(arguments, {"result": {"source": source, "destination": str(destination)}})
        return 0

    def answer(self, message: dict[str, Any], state: dict[str, Any]) -> None:
        """Answer a JSON-RPC request in files."""
        folder = self.folder / "Documents/modelrunnerd/responses" / message["id"]
        folder.mkdir(parents=True)
        resource = self.folder / "Documents/modelrunnerd/requests/resources" / message["id"]
        response: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        method = message["method"].rpartition(".")[2].lower()
        try:
            response.update(getattr(self, method)(message["params"], resource, message.get("resource"), state, folder))
        except (KeyError, ValueError) as error:
            response["error"] = {"code": -32001, "message": str(error)}
        self.save(state)
        (folder / "message.json").write_text(json.dumps(response))

    def load(self, params: Any, resource: Path, name: str, state: Any, folder: Path) -> dict[str, Any]:
        """``MLModelService.Load``."""
        if not (resource / name).is_dir() or not name.endswith(".mlmodelc"):
            raise ValueError(f"Expected an mlmodelc directory, but found: {name}")
        state["models"][params["modelID"]] = str(resource / name)
        return {"result": {"modelID": params["modelID"], "duration": LOAD_NANOSECONDS, "isCached": False}}

    def unload(self, params: Any, resource: Path, name: str, state: Any, folder: Path) -> dict[str, Any]:
        """``MLModelService.Unload``."""
        del state["models"][params["modelID"]]
        return {"result": {"modelID": params["modelID"]}}

    def prediction(self, params: Any, resource: Path, name: str, state: Any, folder: Path) -> dict[str, Any]:
        """``MLModelService.Prediction``: the outputs that ``outputs.json`` has for these input bytes."""
        import hashlib
        import struct

        described = json.loads((Path(state["models"][params["modelID"]]) / "description.json").read_text())
        ((given, tensor),) = params["inputs"].items()
        if described["inputs"] != {given: {"kind": "multiArrayType", "shape": tensor["shape"]}}:
            raise ValueError(f"Feature {given} is of {described['inputs'][given]}, got a multi array {tensor['shape']}")
        start, size = tensor["storage"]["offset"], tensor["storage"]["size"]
        data = (resource / name).read_bytes()[start : start + size]
        known = json.loads((self.folder / "outputs.json").read_text())
        outputs, offset, storage = {}, 0, b""
        for output, values in known[hashlib.sha256(data).hexdigest()].items():
            storage += struct.pack(f"<{len(values['flat'])}f", *values["flat"])
            strides = [1]
            for length in values["shape"][:0:-1]:
                strides.insert(0, strides[0] * length)
            # The sizes add up in Apple's code too; the offsets are right.
            outputs[output] = {
                "dataType": "Float32",
                "shape": values["shape"],
                "strides": strides,
                "storage": {"offset": offset, "size": len(storage)},
            }
            offset = len(storage)
        (folder / "outputs.bin").write_bytes(storage)
        state["predictions"] += 1
        steady = STEADY_NANOSECONDS[state["predictions"] % len(STEADY_NANOSECONDS)]
        duration = FIRST_NANOSECONDS if state["predictions"] == 1 else steady
        result = {"modelID": params["modelID"], "outputs": outputs, "duration": duration, "resource": "outputs.bin"}
        return {"result": result, "resource": "outputs.bin"}

    def computeplan(self, params: Any, resource: Path, name: str, state: Any, folder: Path) -> dict[str, Any]:
        """``MLModelService.ComputePlan``: convolutions on the Neural Engine, the rest on the CPU, constants nowhere."""
        described = json.loads((Path(state["models"][params["modelID"]]) / "description.json").read_text())
        operations = [one for one in described["operations"] if one["kind"] != "const"]
        engine: dict[str, Any] = {"neuralEngine": {"totalCoreCount": 16}}
        cpu: dict[str, Any] = {"cpu": {}}
        infos = [
            {
                "deviceUsage": {
                    "preferred": engine if one["kind"] == "conv" else cpu,
                    "supported": [engine, cpu] if one["kind"] == "conv" else [cpu],
                },
                "estimatedCost": 1 / len(operations),
                "path": {
                    "components": [
                        {"program": {}},
                        {"programFunction": {"data": {"name": "main"}}},
                        {"programBlock": {"data": {"index": -1}}},
                        {"programOperation": {"data": {"outputName": output}}},
                    ]
                },
            }
            for one in operations
            for output in one["outputs"]
        ]
        return {"result": {"modelID": params["modelID"], "infos": infos}}

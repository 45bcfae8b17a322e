from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imageqx_export.bench.emulator import Emulator, build, qemu
from imageqx_export.bench.emulator.build import try_runtimes
from imageqx_export.bench.emulator.cache import Contents, make_once
from imageqx_export.bench.emulator.machine import list_parts
from imageqx_export.cli.emulator import app
from imageqx_export.errors import DeviceError

VERSIONS = {
    "root": {"libc6": "2.41-12", "python3.13-minimal": "3.13.5-2"},
    "wheels": {"onnxruntime": "1.0"},
    "qemu": {"qemu": "10.0.2"},
    "trial": {},
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMAGEQX_EMULATOR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no apt, no compiler, no network
    return tmp_path / "cache"


def make_all() -> None:
    inputs_by_part = list_parts()

    def fill(name: str) -> Contents:
        return {"a.deb": "0" * 64}, VERSIONS[name]

    everything: dict[str, dict[str, object]] = {**inputs_by_part, "trial": dict(inputs_by_part)}
    for name, inputs in everything.items():
        make_once(name, inputs, lambda folder, name=name: fill(name))  # type: ignore[misc]


def test_what_is_built_stays_and_needs_nothing() -> None:
    make_all()
    assert [part.part for part in build()] == ["root", "wheels", "qemu", "trial"]


def test_without_apt_nothing_is_made_and_the_remedy_is_named(home: Path) -> None:
    with pytest.raises(DeviceError, match="container of Debian"):
        build()
    assert [path.name for path in home.iterdir() if not path.name.startswith(".lock")] == []


def test_the_command_prints_parts_and_versions() -> None:
    make_all()
    plain = CliRunner().invoke(app, [])
    assert plain.exit_code == 0
    assert all(text in plain.output for text in ("root", "wheels", "qemu 10.0.2", "libc6 2.41-12"))
    machine = CliRunner().invoke(app, ["--json"])
    found = json.loads(machine.output)
    assert [part["part"] for part in found["parts"]] == ["root", "wheels", "qemu", "trial"]
    assert found["parts"][0]["files"] == {"a.deb": "0" * 64}


def fake_emulator(folder: Path, script: str) -> Emulator:
    path = folder / "qemu-aarch64"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    return Emulator(
        root=folder / "root",
        wheels=folder / "wheels",
        qemu=path,
        insn=folder / "i.so",
        opcodes=folder / "o.so",
        versions={},
    )


def test_runtimes_are_tried_on_every_cpu_with_bytecode_written(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "word = sys.argv[sys.argv.index('-cpu') + 1] + os.environ.get('PYTHONDONTWRITEBYTECODE', '+')\n"
        "open(sys.argv[0] + '.log', 'a').write(word + ' ')\n"
    )
    try_runtimes(fake_emulator(tmp_path, script))
    assert (tmp_path / "qemu-aarch64.log").read_text() == "cortex-a53+ cortex-a76+ max,sve=off,sme=off,pauth=off+ "


def test_runtimes_that_do_not_start_are_an_error(tmp_path: Path) -> None:
    emulator = fake_emulator(tmp_path, "import sys; sys.exit('ImportError: no module onnxruntime')")
    with pytest.raises(DeviceError, match="do not start on an emulated cortex-a53") as caught:
        try_runtimes(emulator)
    assert caught.value.got == "ImportError: no module onnxruntime"


def test_qemu_without_a_compiler_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="apt install gcc libc6-dev"):
        qemu.make_qemu(tmp_path, None)  # type: ignore[arg-type]  # it must not come so far as to use apt


def test_the_recipe_changes_with_the_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = qemu.list_inputs()
    changed = tmp_path / "opcodes.c"
    changed.write_text(qemu.OPCODES.read_text() + "/* */")
    monkeypatch.setattr(qemu, "OPCODES", changed)
    assert qemu.list_inputs() != before
    assert before["machine"] == os.uname().machine

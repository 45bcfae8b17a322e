"""Build and find an emulated Arm phone: an arm64 root, the runtimes' aarch64 wheels, and qemu with its plugins."""

from __future__ import annotations

from imageqx_export.bench.emulator.build import build
from imageqx_export.bench.emulator.machine import CPUS, Emulator, load_emulator

__all__ = ["CPUS", "Emulator", "build", "load_emulator"]

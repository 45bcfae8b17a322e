"""Workers of accelerators' tools, and what these start themselves, end with the process that asked."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import imageqx_export.compat.ethos_u.target as ethos_u

_ASKING = """
import sys
from pathlib import Path
from imageqx_export.compat.environments import Environment
Environment("none", None).call(Path(sys.argv[1]), {})
"""
_WORKER = """
import runpy
worker = runpy.run_path({path!r})
worker["_call"]("python", "-c", "import time; time.sleep(600)", folder=".")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own")
def test_a_compiler_ends_with_who_asked(tmp_path: Path) -> None:
    """The process that asks is killed; its worker and the worker's compiler are two and three processes away."""
    script = tmp_path / "worker.py"
    script.write_text(_WORKER.format(path=str(Path(ethos_u.__file__).with_name("worker.py"))))
    with subprocess.Popen([sys.executable, "-c", _ASKING, str(script)]) as process:
        asking = psutil.Process(process.pid)
        try:
            deadline = time.monotonic() + 60
            while len(below := asking.children(recursive=True)) < 2 or "sleep" not in " ".join(below[-1].cmdline()):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
        finally:
            process.kill()
    _, alive = psutil.wait_procs(below, 5)
    assert alive == []

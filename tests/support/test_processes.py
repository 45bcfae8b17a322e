"""Isolated processes: results and errors come back whole, crashes come back as errors."""

from __future__ import annotations

import copy
import operator
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from imageqx_export import errors, networks
from imageqx_export.errors import ArtifactError, ImageQXError, PhotoError, UnknownNameError
from imageqx_export.preprocess import open_photo
from imageqx_export.support.processes import quiet, run_isolated, start_pool, take_last_line, tie_to_parent

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ImageQXError)]
FIELDS = {"what": "wrong", "where": "a.bin", "expected": "[3]", "got": "[4]", "remedy": "make it so"}


def test_returns_what_the_function_returns() -> None:
    # Functions of the standard library: a fresh process cannot import a test.
    assert run_isolated(sorted, [3, 1, 2], reverse=True) == [3, 2, 1]
    assert run_isolated(os.getpid) != os.getpid()
    assert run_isolated(os.getenv, "OMP_NUM_THREADS") == "1"


def test_raises_what_the_function_raises(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run_isolated(operator.truediv, 1, 0)
    with pytest.raises(PhotoError) as caught:
        run_isolated(open_photo, tmp_path / "none.jpg")
    with pytest.raises(PhotoError) as direct:
        open_photo(tmp_path / "none.jpg")
    assert str(caught.value) == str(direct.value) and caught.value.where == direct.value.where


def test_raises_an_error_with_arguments_of_its_own() -> None:
    with pytest.raises(UnknownNameError) as caught:
        run_isolated(networks.spec, "vgg")
    assert str(caught.value).startswith("unknown model 'vgg'\n  expected: one of imageqx")


@pytest.mark.parametrize("kind", [signal.SIGSEGV, signal.SIGKILL], ids=["crash", "out of memory"])
def test_a_crash_is_an_error(kind: signal.Signals) -> None:
    with pytest.raises(ArtifactError) as caught:
        run_isolated(signal.raise_signal, kind)
    assert "the process died" in str(caught.value) and caught.value.where == "raise_signal"


def test_a_pool_of_isolated_processes() -> None:
    with start_pool() as threads:
        crashing = threads.submit(run_isolated, signal.raise_signal, signal.SIGSEGV)
        working = threads.submit(run_isolated, os.getpid)
        assert isinstance(crashing.exception(), ArtifactError)
        assert working.result() > 0, "one crash took its neighbour along"


_WORKING = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test's own parent may ignore them: a shell's background
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # job, nohup
from imageqx_export.support.processes import run_isolated, start_pool, start_process_pool
from imageqx_export.support.signals import raise_on_signals
with raise_on_signals():
    try:
        {block}
    except KeyboardInterrupt:
        raise SystemExit(130)
"""
_BLOCKS = {
    "isolated": "run_isolated(time.sleep, 600)",
    "isolated in threads": """with start_pool() as threads:
            [job.result() for job in [threads.submit(run_isolated, time.sleep, 600) for _ in range(5)]]""",
    "pool": """with start_process_pool(2) as processes:
            list(processes.map(time.sleep, [600] * 5))""",
}


def find_workers(parent: psutil.Process) -> list[psutil.Process]:
    return [child for child in parent.children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.parametrize("block", _BLOCKS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_no_worker_outlives_its_parent(block: str, number: signal.Signals, tmp_path: Path) -> None:
    """The signal goes to the parent alone, as from a job's runner."""
    script = _WORKING.format(block=_BLOCKS[block])
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    parent, expected = psutil.Process(process.pid), 1 if block == "isolated" else 2
    try:
        deadline = time.monotonic() + 60
        while len(workers := find_workers(parent)) < expected or any(w.cpu_times().user < 0.02 for w in workers):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        children = parent.children(recursive=True)
        process.send_signal(number)
        assert process.wait(10) == (-signal.SIGKILL if number == signal.SIGKILL else 130)
        _, alive = psutil.wait_procs(children, 5)
        assert alive == []
        if number != signal.SIGKILL:
            assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind is not UnknownNameError])
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_errors_survive_pickling(kind: type[ImageQXError], protocol: int) -> None:
    error = kind(FIELDS["what"], **{name: value for name, value in FIELDS.items() if name != "what"})
    for again in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error)):
        assert type(again) is kind and str(again) == str(error) and again.args == error.args
        assert {name: getattr(again, name) for name in FIELDS} == FIELDS


def test_an_unknown_name_survives_pickling() -> None:
    error = UnknownNameError("format", "tensorrt", ["onnx", "tflite"])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is UnknownNameError and str(again) == str(error)
    assert again.what == "unknown format 'tensorrt'" and again.expected == "one of onnx, tflite"


def test_the_tree_is_complete() -> None:
    assert len(ALL) == 16
    assert errors.__doc__ is not None and all(kind.__name__ in errors.__doc__ for kind in ALL)


def shout(word: str) -> None:
    os.write(1, f"{word} on 1\n".encode())
    os.write(2, f"{word} on 2\n".encode())


def test_quiet_silences_both_and_restores_them(capfd: pytest.CaptureFixture[str]) -> None:
    shout("before")
    with quiet():
        shout("inside")
        subprocess.run(["sh", "-c", "echo child; echo child >&2"], check=True)
    shout("after")
    assert capfd.readouterr() == ("before on 1\nafter on 1\n", "before on 2\nafter on 2\n")


def test_quiet_lets_exceptions_pass_and_restores(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with quiet():
            shout("inside")
            raise PhotoError("inside")

    lowest = os.dup(1)  # the lowest free number: a handle that leaks would take it
    os.close(lowest)
    with pytest.raises(PhotoError, match="inside"):
        fail()
    shout("after")
    assert capfd.readouterr() == ("after on 1\n", "after on 2\n")
    again = os.dup(1)
    os.close(again)
    assert again == lowest, "handles leak"


def test_quiet_silences_prints_that_are_buffered() -> None:
    """Into a pipe Python writes late: a print inside must not come out after, nor one from before be lost."""
    script = (
        "from imageqx_export.support.processes import quiet\n"
        "print('before')\n"
        "with quiet():\n    print('inside')\n"
        "with quiet():\n    print('x' * 100_000)\n"
        "print('after')\n"
    )
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=buffered)
    assert ran.stdout == "before\nafter\n" and ran.stderr == ""


def test_the_last_line_of_nothing_is_nothing() -> None:
    assert take_last_line("a\n b \n\n") == "b" and take_last_line("\n") == ""


_TIED = """
import subprocess, sys
from imageqx_export.support.processes import tie_to_parent
child = subprocess.Popen(tie_to_parent([sys.executable, "-c", "import time; time.sleep(600)"]))
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own")
def test_a_program_that_is_tied_ends_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", _TIED], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
    gone, _ = psutil.wait_procs([child], 5)
    assert gone == [child]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own")
def test_what_is_tied_is_the_program_itself(tmp_path: Path) -> None:
    """Its own process id, its environment, its exit status; one that is not there is a shell's 127."""
    script = "import os, sys; print(os.getpid(), os.environ['A'], sys.argv[1:]); sys.exit(7)"
    with subprocess.Popen(
        tie_to_parent([sys.executable, "-c", script, "-x", "y z"]), stdout=subprocess.PIPE, text=True, env={"A": "b"}
    ) as process:
        printed, _ = process.communicate()
    assert printed == f"{process.pid} b ['-x', 'y z']\n" and process.returncode == 7
    missing = subprocess.run(tie_to_parent([str(tmp_path / "none")]), capture_output=True, text=True)
    assert missing.returncode == 127 and "none: No such file" in missing.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own")
def test_a_program_whose_parent_died_before_it_was_tied_never_starts(tmp_path: Path) -> None:
    """The kernel tells of a death from then on, and not of an earlier one."""
    mark = tmp_path / "mark"
    command = tie_to_parent([sys.executable, "-c", f"open({str(mark)!r}, 'w')"])
    place = command.index(str(os.getpid()))
    orphan = [*command[:place], str(2**22 + 1), *command[place + 1 :]]  # above the kernel's largest process id
    assert subprocess.run(orphan).returncode == 1 and not mark.exists()
    assert subprocess.run(command).returncode == 0 and mark.exists()


_BORN_DEAD = """
import os, sys
from imageqx_export.support import processes
os.environ["PYTHONPATH"] = sys.argv[1]  # whose sitecustomize ends every process that is started from here on
try:
    {block}
except processes.ArtifactError as error:
    print(error.what)
"""
_STARTING = {
    "isolated": "processes.run_isolated(len, bytes(10_000_000))",
    "pool": """with processes.start_process_pool(1, len, (bytes(10_000_000),)) as pool:
        list(pool.map(abs, [1]))""",
}


@pytest.mark.parametrize("block", _STARTING)
def test_a_process_that_dies_before_it_takes_its_arguments_is_an_error(block: str, tmp_path: Path) -> None:
    """As where memory runs out while it imports; more than a pipe holds must not be waited for."""
    (tmp_path / "sitecustomize.py").write_text("import os, sys\n'spawn' in str(sys.orig_argv) and os._exit(1)\n")
    command = [sys.executable, "-c", _BORN_DEAD.format(block=_STARTING[block]), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "the process died\n", done.stderr


def test_arguments_of_any_size_arrive() -> None:
    assert run_isolated(len, bytes(10_000_000)) == 10_000_000

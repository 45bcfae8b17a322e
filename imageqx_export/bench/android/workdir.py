"""One run's folder on the phone: push what it needs and prove it arrived, run jobs in it, and leave nothing."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from imageqx_export.bench.android.phone import Phone, PhoneGoneError, PhoneSlowError
from imageqx_export.errors import DeviceError, MeasurementError
from imageqx_export.support.files import digest

ROOT = "/data/local/tmp"
PREFIX = f"{ROOT}/imageqx-"
RUN_ID, FIXED = "run_id", "fixed-performance"
SPARE_BYTES = 32 * 2**20  # for results, and so that the phone itself never gets to its last byte
_NO_FOLDER = 90  # exit code of our own script: the job's folder is not there

# Kills jobs, and only ours: after a restart of the phone the number may be another program's.
_KILL = """for file in {folder}/jobs/*/pid; do
  [ -f "$file" ] || continue
  pid=$(cat "$file")
  case "$(readlink /proc/$pid/cwd 2>/dev/null)" in ""|*/{name}/jobs/*) kill -9 "$pid" 2>/dev/null ;; esac
  rm -f "$file"
done
:"""

# The job's number is kept for that; its own words go to a file, so that silence on the line means that it still runs.
_JOB = """cd {folder} || exit {lost}
sh -c 'echo $$ >pid; exec "$@"' imageqx {words} </dev/null >log 2>&1
code=$?
rm -f pid
{{ cat ../../{run_id}; echo {number}; }} >id
sha256sum {wants} >sums 2>/dev/null
exit $code"""


@dataclass(frozen=True)
class Supply:
    """A file that the run needs on the phone.

    Attributes:
        source: Where it is here, or its bytes.
        mode: Its permissions there.
    """

    source: Path | bytes
    mode: int = 0o644

    @cached_property
    def sha256(self) -> str:
        """Its digest, hexadecimal."""
        return digest(self.source) if isinstance(self.source, Path) else hashlib.sha256(self.source).hexdigest()

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.source.stat().st_size if isinstance(self.source, Path) else len(self.source)


class Workdir:
    """The folder of one run on a phone.

    Args:
        phone: The phone.
        run_id: Names the folder, and is inside every result.
        supplies: What the run needs, by file name.
    """

    def __init__(self, phone: Phone, run_id: str, supplies: Mapping[str, Supply]) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", run_id):
            raise DeviceError("a run id that cannot name a folder", expected="letters, digits, - and _", got=run_id)
        self.folder = f"{PREFIX}{run_id}"
        self._phone = phone
        self._run_id = run_id
        self._supplies = {RUN_ID: Supply(f"{run_id}\n".encode()), **supplies}
        self._jobs = 0

    def prepare(self) -> None:
        """Push what is not on the phone yet, and verify all of it there; safe to repeat.

        Raises:
            DeviceError: The phone is full, or what arrived is not what was sent.
        """
        self._phone.check(["mkdir", "-p", f"{self.folder}/jobs"], "the phone does not let us make a folder")
        there = self._read_digests()
        missing = {name: supply for name, supply in self._supplies.items() if there.get(name) != supply.sha256}
        if missing:
            self._check_space(sum(supply.size for supply in missing.values()))
        for name, supply in missing.items():
            self._phone.push(supply.source, f"{self.folder}/{name}", supply.mode)
        there = self._read_digests() if missing else there
        for name, supply in self._supplies.items():
            if there.get(name) != supply.sha256:
                raise DeviceError(
                    "a file did not arrive on the phone as it was sent",
                    where=f"{self._phone.where}: {name}",
                    expected=supply.sha256,
                    got=there.get(name, "no file"),
                    remedy="try another cable, and run it again",
                )

    def run(
        self, words: Sequence[str], wants: Sequence[str], limit: float, files: Mapping[str, bytes] | None = None
    ) -> dict[str, bytes]:
        """Run a program in a fresh folder ``jobs/N`` of the run's and fetch what it wrote.

        Args:
            words: The program and its arguments; the run's files are at ``../..``.
            wants: The files that it writes.
            limit: Seconds it may take.
            files: Written into the folder first.

        Returns:
            The bytes of each of ``wants``.

        Raises:
            MeasurementError: It failed, took too long and was killed, or wrote no such file, or the results are
                another run's.
            PhoneGoneError: The phone went away, or what was pushed is gone.
        """
        self._jobs += 1  # never twice the same folder, so that nothing old can be taken for a result
        folder, what = f"{self.folder}/jobs/{self._jobs}", Path(words[0]).name
        self._phone.check(["mkdir", "-p", folder], "the phone does not let us make a folder")
        for name, data in (files or {}).items():
            self._phone.push(data, f"{folder}/{name}")
        try:
            answer = self._phone.shell(self._write_script(folder, words, wants), limit)
        except PhoneSlowError as error:
            self.kill()
            raise MeasurementError(
                f"{what} takes too long on the phone, and was killed",
                where=self._phone.where,
                expected=f"an end within {limit:.0f} s",
                got=self._read_last_words(folder),
                remedy="see what else runs on the phone, and run it again",
            ) from error
        if answer.code == _NO_FOLDER:
            raise PhoneGoneError("what was pushed is gone from the phone", where=f"{self._phone.where}: {folder}")
        if answer.code:
            raise self._explain_failure(what, folder, answer.code)
        results = self._fetch(folder, wants, what)
        self._phone.shell(["rm", "-rf", folder])
        return results

    def _write_script(self, folder: str, words: Sequence[str], wants: Sequence[str]) -> str:
        return _JOB.format(
            folder=folder,
            lost=_NO_FOLDER,
            words=shlex.join(words),
            run_id=RUN_ID,
            number=self._jobs,
            wants=shlex.join(["id", *wants]),
        )

    def _fetch(self, folder: str, wants: Sequence[str], what: str) -> dict[str, bytes]:
        sums = _parse_sums(self._phone.pull(f"{folder}/sums").decode())
        missing = [name for name in wants if name not in sums]
        if missing:
            raise MeasurementError(
                f"{what} ended well, but wrote no {', '.join(missing)}",
                where=self._phone.where,
                got=self._read_last_words(folder),
                remedy="it may be too old: build it anew",
            )
        found = {name: self._phone.pull(f"{folder}/{name}") for name in ("id", *wants)}
        expected = f"{self._run_id}\n{self._jobs}\n"
        if found["id"].decode(errors="replace") != expected:
            raise MeasurementError(
                "the results are those of another run",
                where=f"{self._phone.where}: {folder}",
                expected=" ".join(expected.split()),
                got=" ".join(found["id"].decode(errors="replace").split()),
                remedy="let only one computer use the phone, and run it again",
            )
        for name, data in found.items():
            if hashlib.sha256(data).hexdigest() != sums[name]:
                raise MeasurementError(
                    "a result did not arrive as the phone wrote it",
                    where=f"{self._phone.where}: {folder}/{name}",
                    expected=sums[name],
                    got=hashlib.sha256(data).hexdigest(),
                    remedy="try another cable",
                )
        return {name: found[name] for name in wants}

    def _explain_failure(self, what: str, folder: str, code: int) -> MeasurementError:
        hints = {
            126: "it is not a program for this phone",
            127: "it, or the loader it was built for, is not on the phone: is it built for Android?",
            137: "the phone killed it, as when its memory runs out: close other apps, and run it again",
        }
        return MeasurementError(
            f"{what} failed on the phone",
            where=self._phone.where,
            expected="exit code 0",
            got=f"{code}: {self._read_last_words(folder)}",
            remedy=hints.get(code),
        )

    def _read_last_words(self, folder: str) -> str:
        return self._phone.shell(f"tail -n 20 {folder}/log").last_words

    def kill(self) -> None:
        """Kill every job of this run that still runs."""
        self._phone.shell(_KILL.format(folder=self.folder, name=Path(self.folder).name))

    def mark_fixed(self) -> None:
        """Note on the phone that the mode is to be put back, should this computer die before it can."""
        self._phone.check(["touch", f"{self.folder}/{FIXED}"], "the phone does not let us make a file")

    def remove(self) -> None:
        """Delete the folder, and see that it is gone.

        Raises:
            DeviceError: It is still there.
        """
        self._phone.check(f"rm -rf {self.folder} && [ ! -e {self.folder} ]", "the run's folder cannot be deleted")

    def _read_digests(self) -> dict[str, str]:
        names = shlex.join(self._supplies)
        limit = self._phone.limits.answer + 60  # reading a hundred MB takes a slow phone a while
        answer = self._phone.shell(f"cd {self.folder} && sha256sum {names}", limit)
        if answer.code in (126, 127):
            raise DeviceError("the phone has no sha256sum", where=self._phone.where, got=answer.last_words)
        return _parse_sums(answer.out)

    def _check_space(self, needed: int) -> None:
        free = parse_free_bytes(self._phone.check(["df", "-k", self.folder], "the phone does not say how full it is"))
        if free < needed + SPARE_BYTES:
            raise DeviceError(
                "not enough room on the phone",
                where=f"{self._phone.where}: {ROOT}",
                expected=f"{(needed + SPARE_BYTES) / 2**20:.0f} MiB free",
                got=f"{free / 2**20:.0f} MiB",
                remedy="free some space on the phone, and run it again",
            )


def parse_free_bytes(text: str) -> int:
    r"""Parse ``df -k``'s last line: … available, per cent, mount point; a long device name has a line of its own.

    Raises:
        DeviceError: It is not such a table.

    >>> parse_free_bytes("Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/dm-5 1000 900 100 90% /data")
    102400
    """
    words = text.split()
    if len(words) < 4 or not re.fullmatch("[0-9]{1,15}", words[-3]):
        raise DeviceError(
            "the phone does not say how full it is", expected="the table of df -k", got=text.strip()[-200:]
        )
    return int(words[-3]) * 1024


def _parse_sums(text: str) -> dict[str, str]:
    rows = [line.split(None, 1) for line in text.splitlines()]
    return {row[1].strip().lstrip("*"): row[0] for row in rows if len(row) == 2 and len(row[0]) == 64}


def clear_stale(phone: Phone) -> list[str]:
    """Delete what a run left that died with its computer, and put back the mode that it had set.

    Only one run at a time uses a phone, so whatever is there is of a dead one.

    Returns:
        The folders.
    """
    folders = [line for line in phone.shell(f"ls -d {PREFIX}*").out.split() if line.startswith(PREFIX)]
    for folder in folders:
        place = shlex.quote(folder)
        if phone.shell(f"[ -e {place}/{FIXED} ]").code == 0:
            set_fixed_performance(phone, False)
        phone.shell(_KILL.format(folder=place, name=shlex.quote(Path(folder).name)))
        phone.check(["rm", "-rf", folder], "what an earlier run left cannot be deleted")
    return folders


def set_fixed_performance(phone: Phone, on: bool) -> None:
    """Switch the mode in which the phone holds clocks that it can hold for long (Android 11 and newer).

    Raises:
        DeviceError: The phone has no such mode.
    """
    answer = phone.shell(["cmd", "power", "set-fixed-performance-mode-enabled", "true" if on else "false"])
    if answer.code:
        raise DeviceError(
            f"the phone's fixed-performance mode cannot be switched {'on' if on else 'off'}",
            where=phone.where,
            got=f"{answer.code}: {answer.last_words}",
            remedy="run it without: this phone has no such mode" if on else "start the phone again, which ends it",
        )

"""Talk to one Android phone: run commands on it, move files, and tell when it went away."""

from __future__ import annotations

import io
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from imageqx_export.bench.android.discovery import USABLE, list_phones
from imageqx_export.bench.android.transport import RefusedError, open_service, receive, run_shell, send
from imageqx_export.errors import DeviceError
from imageqx_export.support.processes import take_last_line

if TYPE_CHECKING:
    from adbutils import AdbClient, AdbConnection


@dataclass(frozen=True)
class Limits:
    """The seconds to wait before giving up.

    Attributes:
        answer: Seconds for a short command, and for the next bytes of a transfer.
        reconnect: Seconds for a phone that went away to come back; starting again takes a phone one to two minutes.
        cool_down: Seconds for a hot phone to cool down.
        clean_up: Seconds for a phone that went away to come back at the end, to be put in order.
        poll: Seconds between two looks.
        resumes: How often one measurement starts again after the phone went away.
    """

    answer: float = 20
    reconnect: float = 300
    cool_down: float = 900
    clean_up: float = 60
    poll: float = 2
    resumes: int = 3


@dataclass(frozen=True)
class Clock:
    """A clock: the time, and how it passes."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Answer:
    """The answer of a command on the phone.

    Attributes:
        code: Its exit code.
        out: Its standard output.
        err: Its standard error.
    """

    code: int
    out: str
    err: str

    @property
    def last_words(self) -> str:
        """The last line of its standard error, or else of its standard output."""
        return take_last_line(f"{self.out}\n{self.err}") or "nothing"


class PhoneGoneError(DeviceError):
    """A phone that went away; it can be waited for."""


class PhoneSlowError(DeviceError):
    """A command that took too long on a phone that is still there."""


class Phone:
    """One phone, reached through the adb server.

    Args:
        client: Of a server that runs.
        serial: Of a phone that can be used.
        limits: How long to wait.
        clock: What to wait by.
    """

    def __init__(
        self, client: AdbClient, serial: str, limits: Limits | None = None, clock: Clock | None = None
    ) -> None:
        self.serial = serial
        self.limits = limits or Limits()
        self.clock = clock or Clock()
        self._client = client

    @property
    def where(self) -> str:
        """The phone, for a message."""
        return f"adb:{self.serial}"

    def read_features(self) -> frozenset[str]:
        """Return what the phone and the server both can, such as ``"shell_v2"``."""
        with self._translate_errors("features"), self._client.make_connection(timeout=self.limits.answer) as link:
            link.send_command(f"host-serial:{self.serial}:features")
            link.check_okay()
            return frozenset(link.read_string_block().split(","))

    def shell(self, command: str | Sequence[str], limit: float | None = None) -> Answer:
        """Run a command on the phone, over shell protocol 2: exit code, and standard error apart.

        Args:
            command: A line for the phone's sh, or words, which are quoted.
            limit: Seconds it may take; None: ``limits.answer``.

        Raises:
            PhoneGoneError: The phone went away.
            PhoneSlowError: It took too long.
        """
        line = command if isinstance(command, str) else shlex.join(command)
        with self._translate_errors(line):
            code, out, err = run_shell(self._client, self.serial, line, limit or self.limits.answer)
        return Answer(code, out.decode(errors="replace"), err.decode(errors="replace"))

    def check(self, command: str | Sequence[str], what: str, limit: float | None = None) -> str:
        """Run a command that must succeed, and return its standard output.

        Args:
            command: See :meth:`shell`.
            what: What has failed when it fails.
            limit: See :meth:`shell`.

        Raises:
            DeviceError: It failed.
        """
        answer = self.shell(command, limit)
        if answer.code:
            line = command if isinstance(command, str) else shlex.join(command)
            raise DeviceError(
                what, where=f"{self.where}: {line}", expected="exit code 0", got=f"{answer.code}: {answer.last_words}"
            )
        return answer.out

    def push(self, source: Path | bytes, remote: str, mode: int = 0o644) -> None:
        """Write a file on the phone.

        Raises:
            DeviceError: The phone does not take it, as when its disk is full.
            PhoneGoneError: The phone went away.
        """
        file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        with file, self._translate_errors(f"push {remote}"), self._open_service("sync:") as link:
            try:
                send(link, file, remote, mode)
            except RefusedError as error:
                full = "No space left" in str(error)
                raise DeviceError(
                    "the phone is full" if full else "the phone does not take a file",
                    where=f"{self.where}: {remote}",
                    got=str(error),
                    remedy="free some space on the phone, and run it again" if full else None,
                ) from error

    def pull(self, remote: str) -> bytes:
        """Read a file of the phone.

        Raises:
            DeviceError: There is none.
            PhoneGoneError: The phone went away.
        """
        with self._translate_errors(f"pull {remote}"), self._open_service("sync:") as link:
            try:
                return receive(link, remote)
            except RefusedError as error:
                raise DeviceError(
                    "the phone does not give a file", where=f"{self.where}: {remote}", got=str(error)
                ) from error

    def is_there(self) -> bool:
        """Say whether the phone is attached and answers."""
        from adbutils import AdbError

        try:
            if list_phones(self._client, self.limits.answer).get(self.serial) != USABLE:
                return False
            limit = min(5.0, self.limits.answer)  # a phone that hangs is not there either
            return run_shell(self._client, self.serial, "echo there", limit)[1].strip() == b"there"
        except (AdbError, OSError, EOFError, ValueError, DeviceError, subprocess.SubprocessError):
            return False

    def wait(self, seconds: float) -> None:
        """Wait until the phone is back.

        Raises:
            DeviceError: It is not, after ``seconds``; no PhoneGoneError, as that would be waited for once more.
        """
        end = self.clock.now() + seconds
        while not self.is_there():
            if self.clock.now() >= end:
                raise DeviceError(
                    "the phone went away and did not come back",
                    where=self.where,
                    expected=f"within {seconds:.0f} s",
                    remedy="plug it in, look at `adb devices`, and run it again",
                )
            self._call_back()
            self.clock.sleep(self.limits.poll)

    def _call_back(self) -> None:
        # A phone on USB comes back by itself; one on the network has to be called by old servers, or after a restart.
        from adbutils import AdbError

        if ":" in self.serial:
            try:
                self._client.connect(self.serial, timeout=self.limits.answer)
            except (AdbError, OSError, ValueError, subprocess.SubprocessError):
                return  # not yet: the caller looks again

    def _open_service(self, name: str) -> AbstractContextManager[AdbConnection]:
        return open_service(self._client, self.serial, name, self.limits.answer)

    @contextmanager
    def _translate_errors(self, doing: str) -> Iterator[None]:
        """Turn adb's errors into ours: too slow, or gone."""
        from adbutils import AdbError
        from adbutils.errors import AdbTimeout

        try:
            yield
        except (AdbTimeout, TimeoutError) as error:
            if self.is_there():
                raise PhoneSlowError(
                    "a command takes too long on the phone",
                    where=f"{self.where}: {doing}",
                    got="no answer in time",
                    remedy="see what else runs on the phone, and run it again",
                ) from error
            raise self._make_gone_error(doing, "no answer") from error
        except (AdbError, OSError, EOFError, ValueError, subprocess.SubprocessError) as error:
            raise self._make_gone_error(doing, str(error) or type(error).__name__) from error

    def _make_gone_error(self, doing: str, got: str) -> PhoneGoneError:
        return PhoneGoneError(
            "the phone went away", where=f"{self.where}: {doing}", got=got, remedy="plug it in, and run it again"
        )

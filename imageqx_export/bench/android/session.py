"""One run on one phone, alone on it: wait while it is hot, start again after it went away, put everything back."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from imageqx_export.bench.android.facts import read_sensors
from imageqx_export.bench.android.phone import Phone, PhoneGoneError, PhoneSlowError
from imageqx_export.bench.android.thermal import Battery, Thermal, find_hottest, list_objections, wait_until_cool
from imageqx_export.bench.android.workdir import Supply, Workdir, set_fixed_performance
from imageqx_export.errors import DeviceError
from imageqx_export.support.signals import ignore_signals

R = TypeVar("R")
log = logging.getLogger(__name__)


class Session:
    """One run on one phone; made by :func:`open_session`.

    Args:
        phone: The phone.
        workdir: The run's folder on it.
        fixed_performance: Whether to hold the phone's clocks.
    """

    def __init__(self, phone: Phone, workdir: Workdir, fixed_performance: bool) -> None:
        self.phone = phone
        self._workdir = workdir
        self._fixed_performance = fixed_performance
        self._mode_is_ours = False

    def job(
        self, words: Sequence[str], wants: Sequence[str], limit: float, files: Mapping[str, bytes] | None = None
    ) -> dict[str, bytes]:
        """Run a program on the phone and fetch what it wrote, once more if the phone goes away meanwhile.

        Args:
            words: See :meth:`Workdir.run`, as for the others.
            wants: The files that it writes.
            limit: Seconds it may take.
            files: Written into its folder first.

        Raises:
            MeasurementError: It failed.
            DeviceError: The phone does not come back, or it took too long.
        """
        return self.retry(lambda: self._workdir.run(words, wants, limit, files))

    def cool_down(self) -> None:
        """Wait until the phone is there, cool and charged.

        Raises:
            DeviceError: It does not get so in time.
        """
        self.retry(self._cool_down)

    def read_temperature(self) -> float | None:
        """Return that of the hottest sensor that can be read, in °C."""
        return find_hottest(*self.retry(lambda: read_sensors(self.phone)))

    def retry(self, action: Callable[[], R]) -> R:
        """Do something that may be done again, and do so after the phone went away and came back.

        Raises:
            DeviceError: It does not come back, or goes away again and again.
        """
        left = self.phone.limits.resumes
        lost = False
        while True:
            try:
                if lost:
                    self._come_back()
                return action()
            except PhoneGoneError as error:
                if not left:
                    raise
                log.warning("%s went away (%s): waiting for it", self.phone.where, error.got)
                lost, left = True, left - 1

    def set_up(self) -> None:
        """Push what the run needs and hold the clocks, if asked to.

        Raises:
            DeviceError: The phone is full, or cannot hold its clocks.
        """
        self._workdir.prepare()
        if self._fixed_performance:
            self._workdir.mark_fixed()
            self._mode_is_ours = True  # before it is, as whatever happens from here on must switch it off
            try:
                set_fixed_performance(self.phone, True)
            except (PhoneGoneError, PhoneSlowError):
                raise
            except DeviceError:
                self._mode_is_ours = False  # the phone said no
                raise

    def tear_down(self) -> DeviceError | None:
        """Put the phone in order: the mode off, our programs killed, our folder deleted.

        Returns:
            What could not be done, or None.
        """
        steps = [self._wait_to_clean, self._workdir.kill, self._workdir.remove]
        if self._mode_is_ours:
            steps.insert(1, lambda: set_fixed_performance(self.phone, False))
        problems = []
        for step in steps:
            try:
                step()
            except DeviceError as error:
                problems.append(error)
                if isinstance(error, PhoneGoneError) or step == steps[0]:
                    break  # the other steps would fail alike
        if not problems:
            return None
        by_hand = f"adb -s {self.phone.serial} shell 'rm -rf {self._workdir.folder}"
        mode = "; cmd power set-fixed-performance-mode-enabled false" if self._mode_is_ours else ""
        return DeviceError(
            "the phone could not be put in order",
            where=self.phone.where,
            got=problems[0].what,
            remedy=f"the next run on it does so, or by hand: {by_hand}{mode}'",
        )

    def _come_back(self) -> None:
        self.phone.wait(self.phone.limits.reconnect)
        log.warning("%s is back: going on", self.phone.where)
        self._workdir.kill()  # what went on without us would disturb what comes
        self.set_up()  # a phone that was started anew has forgotten the mode, and maybe the files
        self._cool_down()

    def _cool_down(self) -> None:
        limits = self.phone.limits
        told = False

        def read() -> tuple[Thermal, Battery]:
            nonlocal told
            found = read_sensors(self.phone)
            if not told and (reasons := list_objections(*found)):
                log.warning("%s: %s: waiting up to %.0f s", self.phone.where, "; ".join(reasons), limits.cool_down)
                told = True
            return found

        wait_until_cool(read, self.phone.where, limits.cool_down, limits.poll, self.phone.clock)

    def _wait_to_clean(self) -> None:
        self.phone.wait(self.phone.limits.clean_up)


@contextmanager
def lock_phone(serial: str) -> Iterator[None]:
    """Keep other runs on this computer off the phone.

    Raises:
        DeviceError: Another run uses it.
    """
    from filelock import FileLock, Timeout

    name = hashlib.sha256(serial.encode()).hexdigest()[:16]  # serials of phones on a network have colons
    lock = FileLock(Path(tempfile.gettempdir()) / f"imageqx-adb-{name}.lock", mode=0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DeviceError(
            "another run uses the phone",
            where=f"adb:{serial}",
            expected="one run at a time, as two disturb each other",
            remedy="wait for it to end, and run it again",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def open_session(
    phone: Phone, run_id: str, supplies: Mapping[str, Supply], fixed_performance: bool = False
) -> Iterator[Session]:
    """Set the phone up for a run, and put it in order afterwards, whatever happens.

    Args:
        phone: The phone.
        run_id: Names the run's folder.
        supplies: What the run needs there, by file name.
        fixed_performance: Whether to hold the phone's clocks.

    Raises:
        DeviceError: It cannot be set up, or could not be put in order.
    """
    found = Session(phone, Workdir(phone, run_id, supplies), fixed_performance)
    try:
        found.retry(found.set_up)
        yield found
    except BaseException as error:
        with ignore_signals():
            problem = found.tear_down()
        if problem is not None:
            log.warning("%s", problem)
            error.add_note(str(problem))
        raise
    with ignore_signals():
        problem = found.tear_down()
    if problem is not None:
        raise problem

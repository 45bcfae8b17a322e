"""Get Debian packages with apt in a folder of its own: no root, and the machine's own packages stay as they are.

apt itself resolves the dependencies, checks the archive's signature against Debian's keyring, and checks every index
and every file against the signed hashes; it does so through the proxies and credentials that the machine's
administrator has set. Nothing is installed: packages are unpacked into a folder.

No versions are committed. Debian's stable release replaces a package's version at its point releases and deletes the
old one, so that a committed list would break within weeks. The signature says whose packages these are, and the
cache's own record (``built.json``) says which: versions and hashes of all that went into it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from imageqx_export.errors import DeviceError
from imageqx_export.support.files import digest

KEYRINGS = tuple(Path("/usr/share/keyrings") / f"debian-archive-keyring.{ending}" for ending in ("gpg", "pgp"))
TIMEOUT_SECONDS = 900

# The administrator's own settings for reaching a mirror; not those that would let an unsigned archive in.
_INHERITED = re.compile(r"Acquire::(https?|tor|Retries|ForceIPv|Check-|Max-|Queue-Mode|Timeout)", re.IGNORECASE)
_FILE = re.compile(r"^'(?P<uri>[^']+)' (?P<name>\S+) \d+ SHA256:(?P<sha256>[0-9a-f]{64})$")


@dataclass(frozen=True)
class File:
    """A file of the archive.

    Attributes:
        uri: Where it comes from.
        name: The file's name, version and architecture included.
        sha256: As the signed index gives it, hexadecimal.
    """

    uri: str
    name: str
    sha256: str


def require_apt() -> None:
    """Raise unless this machine can get and unpack Debian packages.

    Raises:
        DeviceError: It cannot; the remedy says what to do instead.
    """
    missing = [tool for tool in ("apt-get", "apt-config", "dpkg-deb") if shutil.which(tool) is None]
    if sys.platform == "linux" and not missing:
        return
    raise DeviceError(
        "emulated phones are built from Debian packages, with apt",
        expected="Linux with apt-get, apt-config and dpkg-deb",
        got=f"{', '.join(missing)} missing" if sys.platform == "linux" else sys.platform,
        remedy="make emulator in a container of Debian, or attach a phone: --target adb:SERIAL",
    )


def find_keyring() -> Path:
    """Return the keyring that Debian's archive is verified with.

    Raises:
        DeviceError: It is not installed.
    """
    for path in KEYRINGS:
        if path.is_file():
            return path
    raise DeviceError(
        "Debian's keyring is missing, so no download could be trusted",
        where=KEYRINGS[0],
        remedy="apt install debian-archive-keyring",
    )


class Apt:
    """An apt of its own in ``folder``.

    Args:
        folder: Holds apt's indexes and downloads; made if it is missing.
        sources: Lines of a sources.list; None is the machine's own sources.
        architecture: Of the packages, as Debian names it; None is the machine's own, and then only what is not
            installed on the machine counts as missing.
    """

    def __init__(self, folder: Path, sources: Sequence[str] | None = None, architecture: str | None = None) -> None:
        self._folder = folder.resolve()
        for name in ("lists/partial", "archives/partial", "parts"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "status").touch()
        if sources is not None:
            (self._folder / "sources.list").write_text("".join(f"{line}\n" for line in sources))
        config = _read_own_settings() + self._make_settings(sources is None, architecture)
        (self._folder / "apt.conf").write_text("".join(f"{line}\n" for line in config))

    def update(self, strict: bool = True) -> None:
        """Fetch the indexes and verify their signatures.

        Args:
            strict: Whether each source must work; the machine's own may have broken ones beside Debian's.

        Raises:
            DeviceError: They cannot be fetched, or not be trusted.
        """
        self._run_apt("update", *(["-o", "APT::Update::Error-Mode=any"] if strict else []), check=strict)

    def fetch(self, packages: Sequence[str]) -> list[Path]:
        """Download ``packages`` and all they depend on.

        Returns:
            The ``.deb`` files, each checked against the signed index.

        Raises:
            DeviceError: There is no such package, or a download failed or is not what the index says.
        """
        wanted = [*_INSTALL, *packages]
        files = parse_files(self._run_apt(*wanted, "--print-uris").stdout)
        self._run_apt(*wanted, "--download-only")
        return [_check(self._folder / "archives", file) for file in files]

    def fetch_source(self, package: str) -> list[Path]:
        """Download a source package: the ``.dsc`` and the archives it names, each checked likewise."""
        wanted = ["source", "--download-only", package]
        files = parse_files(self._run_apt(*wanted, "--print-uris").stdout)
        self._run_apt(*wanted)
        return [_check(self._folder, file) for file in files]

    def _make_settings(self, own_sources: bool, architecture: str | None) -> list[str]:
        folder = self._folder
        lines = [
            f'Dir::State::lists "{folder}/lists";',
            f'Dir::Cache "{folder}";',
            f'Dir::Cache::archives "{folder}/archives";',
            'Dir::Etc::main "/dev/null";',
            f'Dir::Etc::parts "{folder}/parts";',  # empty: hooks of the machine's own runs have no place here
            'APT::Sandbox::User "root";',  # another user could not write to this folder
            'APT::Install-Recommends "false";',
            'Acquire::Languages "none";',
            'Acquire::ForceHash "SHA256";',  # for --print-uris, which prints MD5 otherwise
            'Debug::NoLocking "true";',  # nothing of the machine's is written, so nothing of it is locked
        ]
        if not own_sources:
            lines += [
                f'Dir::Etc::sourcelist "{folder}/sources.list";',
                f'Dir::Etc::sourceparts "{folder}/parts";',
                'Dir::Etc::preferences "/dev/null";',
                f'Dir::Etc::preferencesparts "{folder}/parts";',
            ]
        if architecture is not None:
            lines += [
                f'Dir::State::status "{folder}/status";',
                f'Dir::State::extended_states "{folder}/extended_states";',
                f'APT::Architecture "{architecture}";',
                f'APT::Architectures {{ "{architecture}"; }};',
            ]
        return lines

    def _run_apt(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "APT_CONFIG": str(self._folder / "apt.conf"), "LC_ALL": "C"}
        result = _run(["apt-get", *arguments], environment, self._folder)
        if check and result.returncode != 0:
            errors = [line for line in result.stderr.splitlines() if line.startswith(("E:", "W:"))]
            raise DeviceError(
                f"apt-get {arguments[0]} failed",
                got="; ".join(errors) or result.stderr.strip()[-500:],
                remedy="see that this machine reaches its Debian mirror (apt-get update), and run it again",
            )
        return result


_INSTALL = ("install", "--yes", "--no-install-recommends")


def unpack(debs: Sequence[Path], root: Path, done: Callable[[], None] = lambda: None) -> None:
    """Unpack ``.deb`` files into ``root``, without running any of their scripts.

    Args:
        debs: The packages.
        root: Where to; made with Debian's merged ``/usr``.
        done: Called after each.
    """
    for name in ("bin", "lib", "sbin"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    for deb in debs:
        # Not --extract, which replaces the links of the merged /usr by folders where an older package has /lib.
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as archive:
            tar = ["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", f"--directory={root}"]
            code = subprocess.run(tar, stdin=archive.stdout).returncode
        if code != 0 or archive.returncode != 0:
            raise DeviceError("a package cannot be unpacked", where=deb.name, remedy="run it again")
        done()


def read_identity(deb: Path) -> tuple[str, str]:
    """Read a package's name and version out of its file."""
    shown = _run(["dpkg-deb", "--show", "--showformat=${Package} ${Version}", str(deb)], dict(os.environ), deb.parent)
    name, _, version = shown.stdout.partition(" ")
    if not version:
        raise DeviceError("dpkg-deb cannot read a package", where=deb.name, got=shown.stderr.strip())
    return name, version


def list_mirrors() -> list[str]:
    """List the archives that this machine's own apt is set up with, in its order."""
    # Without the release information it lists what was never fetched, too: containers delete apt's indexes.
    command = ["apt-get", "indextargets", "--no-release-info", "--format", "$(CREATED_BY) $(REPO_URI)"]
    listed = _run(command, dict(os.environ), Path("/"))
    targets = [line.split(" ", 1) for line in listed.stdout.splitlines() if " " in line]
    return list(dict.fromkeys(uri for kind, uri in targets if kind == "Packages"))


def _read_own_settings() -> list[str]:
    dump = _run(["apt-config", "dump"], dict(os.environ), Path("/"))
    return [line for line in dump.stdout.splitlines() if _INHERITED.match(line) and '"";' not in line]


def _check(folder: Path, file: File) -> Path:
    # apt does not copy what lies on this machine already, in an archive of its own.
    path = Path(unquote(file.uri.removeprefix("file:"))) if file.uri.startswith("file:") else folder / file.name
    got = digest(path) if path.is_file() else "no file"
    if got != file.sha256:
        raise DeviceError(
            "a download is not what Debian's signed index says",
            where=file.name,
            expected=file.sha256,
            got=got,
            remedy="run it again",
        )
    return path


def parse_files(text: str) -> list[File]:
    """Read what apt-get would fetch, as ``--print-uris`` lists it.

    Raises:
        DeviceError: A file has no SHA-256 there.
    """
    found = [_FILE.match(line) for line in text.splitlines() if line.startswith("'")]
    if None in found:
        raise DeviceError("apt gives no SHA-256 for a download", got=text.strip()[-500:])
    return [File(match["uri"], match["name"], match["sha256"]) for match in found if match]


def _run(command: list[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            f"{command[0]} does not end",
            got=f"nothing for {TIMEOUT_SECONDS} s",
            remedy="look at the network, run it again",
        ) from error

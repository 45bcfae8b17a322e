"""The Swift compiler on Linux: Debian's swiftlang in an unpacked, trimmed root, run by chroot.

``python -m tests.ios.toolchain`` builds it in the user's cache, once (600 MB to download, 1.1 GB on disk);
``python -m tests.ios.toolchain COMMAND …`` runs a command in it, in the current folder.

Nothing is installed. apt verifies the indexes against Debian's keyring, as for the emulated phones; the two packages
that hold the compiler are pinned by SHA-256 besides. The root needs /proc (libswiftCore is "not found" without), which
is mounted in a private mount namespace, and so the machine's root user, or one that may make user namespaces.
"""

from __future__ import annotations

import fnmatch
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from imageqx_export.bench.emulator.apt import Apt, read_identity, unpack
from imageqx_export.bench.emulator.cache import Contents, hold_lock, make_once, name_folder, read_part
from imageqx_export.bench.emulator.root import SUITE, open_debian
from imageqx_export.errors import DeviceError
from imageqx_export.support.files import digest

PACKAGES: Final = (
    "swiftlang",
    "libcurl4t64",
    "libc6-dev",
    "libgcc-14-dev",
    "libstdc++-14-dev",
    "libpng-dev",
    "libturbojpeg0-dev",
    "bash",
    "coreutils",
    "diffutils",
    "findutils",
    "git",  # SwiftPM gets its dependencies by it
    "grep",
    "pkgconf",
    "sed",
)

PINNED: Final = {
    "amd64": {
        "libswiftlang_6.0.3-2_amd64.deb": "8279334aaf16e6b62b8d124d6d5d94cb2a92666986cec491bf4ad03a0a9ae3e4",
        "swiftlang_6.0.3-2_amd64.deb": "be005017c07f0932564c48761f7f69d2f4e942d514e106932913ca8cf594c4a1",
    },
    "arm64": {
        "libswiftlang_6.0.3-2_arm64.deb": "828b4f52c16b6dd67530e9b2f2466590dd5dd2a82a71cf8e0b6a1512aa52cfd8",
        "swiftlang_6.0.3-2_arm64.deb": "b8a132deb2f3d57be211be9ccbdbbfd091b28167502ec934d6826e61a9a7d7c1",
    },
}
"""SHA-256 of the packages that hold the compiler, as Debian's archive had them on 2026-11-30."""

# Swift brings its own clang and lld; a debugger and C compilers have no part in what is tested.
LEFT_OUT: Final = (
    "gcc*",
    "cpp*",
    "lib*san*",
    "libcc1*",
    "perl*",
    "libperl*",
    "git-man*",
    "python3*",
    "libpython3*",
    "tzdata_*",
)
TRIMMED: Final = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/zoneinfo",
    "usr/lib/swift_static",
    "usr/libexec/swift/lib/swift_static",
    "usr/libexec/swift/lib/swift/embedded",
    "usr/lib/swift/embedded",
    "var",
)
TRIMMED_PATTERNS: Final = ("*lldb*", "*sourcekit*", "*clangd*", "*libLTO*", "*clang-repl*")

LINKS: Final = {"usr/bin/sh": "bash"}
"""git starts its helpers by a shell of this name, which Debian's packages link when they are installed."""

ENVIRONMENT: Final = {
    "PATH": "/usr/bin:/usr/libexec/swift/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",
}

HINT: Final = "run it as root, or where users may make namespaces (sysctl kernel.unprivileged_userns_clone=1)"


def find_architecture() -> str:
    """Return this machine's architecture, as Debian names it.

    Raises:
        DeviceError: Swift is not pinned for it.
    """
    name = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if name not in PINNED:
        raise DeviceError("no Swift compiler is pinned for this machine", expected=" or ".join(PINNED), got=name)
    return name


def list_inputs() -> dict[str, object]:
    """Say what the root shall be made of; its digest names the folder."""
    architecture = find_architecture()
    return {
        "suite": SUITE,
        "architecture": architecture,
        "packages": list(PACKAGES),
        "pinned": PINNED[architecture],
        "links": LINKS,
        "left_out": [*LEFT_OUT, *TRIMMED, *TRIMMED_PATTERNS],
    }


def find_root() -> Path | None:
    """Return the root, or None where it has not been built."""
    inputs = list_inputs()
    return name_folder("swift", inputs) / "root" if read_part("swift", inputs) else None


def build_root(mirror: str | None = None) -> Path:
    """Build the root in the user's cache, once, and return it.

    Args:
        mirror: A Debian archive; None tries each that this machine's apt is set up with.

    Raises:
        DeviceError: It cannot be built; nothing is left of it then.
    """
    inputs = list_inputs()

    def make(folder: Path) -> Contents:
        with open_debian(mirror, find_architecture()) as apt:
            return fill_root(folder / "root", apt)

    with hold_lock():
        make_once("swift", inputs, make)
    return name_folder("swift", inputs) / "root"


def fill_root(root: Path, apt: Apt) -> Contents:
    """Unpack the packages and what they need into ``root``, and leave out what no check here uses."""
    debs = apt.fetch(PACKAGES)
    digests = {deb.name: digest(deb) for deb in debs}
    refuse_unpinned(digests, PINNED[find_architecture()])
    kept = [deb for deb in debs if not any(fnmatch.fnmatch(deb.name, pattern) for pattern in LEFT_OUT)]
    (root / "usr" / "lib64").mkdir(parents=True)
    (root / "lib64").symlink_to("usr/lib64")
    unpack(kept, root)
    for name in TRIMMED:
        shutil.rmtree(root / name, ignore_errors=True)
    for pattern in TRIMMED_PATTERNS:
        for path in root.rglob(pattern):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    for name in ("proc", "dev", "tmp", "root", "var/tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    return {deb.name: digests[deb.name] for deb in kept}, dict(read_identity(deb) for deb in kept)


def refuse_unpinned(
    digests: Mapping[str, str],
    pinned: Mapping[str, str],
    what: str = "the Swift compiler",
    place: str = "tests/ios/toolchain.py",
) -> None:
    """Refuse a compiler, or another tool, that is not the pinned one.

    Args:
        digests: SHA-256 by file name, as downloaded.
        pinned: As they should be.
        what: The tool.
        place: The file that has its PINNED.

    Raises:
        DeviceError: A pinned package is missing, or is another.
    """
    for name, expected in pinned.items():
        got = digests.get(name) or ", ".join(n for n in digests if n.split("_")[0] == name.split("_")[0]) or "none"
        if got != expected:
            raise DeviceError(
                f"{what} is not the pinned one",
                where=name,
                expected=expected,
                got=got,
                remedy=f"Debian has a new version: try it, then change PINNED in {place}",
            )


def make_command(
    root: Path,
    command: Sequence[str],
    folder: Path,
    binds: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the command that runs ``command`` in the root, with none of this machine's variables.

    Args:
        root: From :func:`build_root`.
        command: Program and arguments, as they are called inside.
        folder: Where it runs; it, and each of ``binds``, is at the same place inside.
        binds: Further folders that it reads or writes.
        environment: Variables beside ``ENVIRONMENT``.

    Raises:
        DeviceError: No mount namespace can be made here.
    """
    lines = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "root=$1; folder=$2; shift 2"]
    # A process namespace of its own, where there is one, takes a fresh /proc; elsewhere the machine's own is lent.
    lines.append('mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"')
    lines += ['mount --rbind /dev "$root/dev"', 'mount -t tmpfs tmpfs "$root/tmp"']
    lines.append('for each in "$folder" "${@:2:$1}"; do mkdir -p "$root$each"; mount --bind "$each" "$root$each"; done')
    lines += ["shift $(($1 + 1))", 'exec chroot "$root" /usr/bin/env -i -C "$folder" "$@"']
    variables = [f"{name}={value}" for name, value in {**ENVIRONMENT, **(environment or {})}.items()]
    places = [str(root), str(folder), str(len(binds)), *map(str, binds)]
    return [*find_command(), "bash", "-ec", "\n".join(lines), "swift", *places, *variables, *command]


def find_command() -> list[str]:
    """Return how a private mount namespace is made here.

    Raises:
        DeviceError: Neither root's nor a user's can be made.
    """
    for isolation in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        try:
            able = subprocess.run([*isolation, "true"], capture_output=True, check=False).returncode == 0
        except OSError:
            able = False
        if able:
            return isolation
    raise DeviceError("the Swift compiler cannot be started: no mount namespace can be made here", remedy=HINT)


def run(
    command: Sequence[str],
    folder: Path,
    *,
    binds: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    timeout: float = 900,
) -> subprocess.CompletedProcess[str]:
    """Run a command in the root and return what it printed; whether it failed is the caller's to judge.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        binds: Further folders at the same place inside.
        environment: Variables beside the few that the root has.
        timeout: Seconds.

    Raises:
        DeviceError: The root is not there and cannot be built, or cannot be entered.
    """
    whole = make_command(find_root() or build_root(), command, folder, binds, environment)
    return subprocess.run(whole, capture_output=True, text=True, timeout=timeout, check=False)


def main(words: Sequence[str]) -> int:
    """Build the root, or run a command in it."""
    try:
        root = find_root() or build_root()
        if not words:
            print(root)
            return 0
        done = subprocess.run(make_command(root, words, Path.cwd()), check=False)
    except DeviceError as error:
        print(f"NO SWIFT HERE: {error}", file=sys.stderr)
        return 1
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

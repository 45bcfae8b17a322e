"""``imageqx-android`` as another app meets it: Maven resolves it offline, README's lines compile, Android 8 has all."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from android_demo.tools import aar, modules
from android_demo.tools.checks.api_level import check_api_level
from android_demo.tools.jdk import find_jdk
from android_demo.tools.kotlin import TEST_OPTIONS, compile_kotlin
from android_demo.tools.maven import REPOSITORY, fetch, lock_repository
from android_demo.tools.programs import run_program
from android_demo.tools.steps import BUILD
from imageqx_export.errors import ConversionError, UnavailableError

_GET = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get"
_README = modules.DEMO / "README.md"


def check_library() -> None:
    """Check the AAR in a repository of its own, and that a changed one is refused.

    Raises:
        ConversionError: Something does not hold.
    """
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "repository"
        written = aar.write_repository(repository)
        resolved = resolve(repository)
        if resolved != written.read_bytes():
            raise ConversionError("Maven resolves another file than was written")
        compile_readme(written)
        written.write_bytes(resolved[:-1] + bytes([resolved[-1] ^ 1]))
        if resolve(repository) is not None:
            raise ConversionError("Maven takes an AAR whose checksum is wrong")
    check_api_level(aar.build_android_runtime()[:1])
    print(f"  {aar.coordinate()}: resolved offline; README's lines compile against it; a changed byte is refused")


def resolve(repository: Path) -> bytes | None:
    """Let Maven resolve the library from a folder, without a network; return its bytes, or None where it refuses.

    Its plugin comes from the cache's repository, which keeps nothing of the library.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError("no Maven to resolve with", remedy="apt install maven")
    one = aar.coordinate()
    kept = REPOSITORY.joinpath(*one.group.split("."))
    command = [
        maven,
        "-B",
        "-q",
        "-o",
        "-C",
        "-Daether.offline.protocols=file",
        f"-Dmaven.repo.local={REPOSITORY}",
        _GET,
        f"-Dartifact={one.group}:{one.artifact}:{one.version}:{one.type}",
        "-Dtransitive=false",
        f"-DremoteRepositories=ours::default::file://{repository.resolve()}",
    ]
    with lock_repository():
        shutil.rmtree(kept, ignore_errors=True)
        try:
            done = run_program(command, environment={"JAVA_HOME": str(find_jdk().home)}, folder=repository)
            if done.returncode == 0:
                return (REPOSITORY / one.path).read_bytes()
        finally:
            shutil.rmtree(kept, ignore_errors=True)
    printed = (done.stdout + done.stderr).strip()
    if "checksum" not in printed.lower():
        raise ConversionError("Maven cannot resolve the library", got=printed[-2000:])
    return None


def compile_readme(library: Path) -> None:
    """Compile the lines that README shows against the AAR's classes alone."""
    folder = BUILD / "aar" / "consumer"
    sources = folder / "kotlin"
    sources.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(library) as archive:
        (folder / "classes.jar").write_bytes(archive.read("classes.jar"))
    body = "".join(f"    {line}\n" for line in aar.read_readme_lines(_README).splitlines())
    (sources / "Consumer.kt").write_text(
        "import android.content.Context\nimport android.graphics.Bitmap\nimport org.imageqx.runtime.assess\n"
        "import org.imageqx.runtime.openAssessor\n\n"
        f"fun show(text: String) = println(text)\n\nfun consume(context: Context, bitmap: Bitmap) {{\n{body}}}\n",
        encoding="utf-8",
    )
    compile_kotlin("aar/consumer-classes", [sources], [folder / "classes.jar", *fetch("android")], options=TEST_OPTIONS)

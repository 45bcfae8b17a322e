"""The same release as a static Maven repository: an AAR a model, which Gradle and Maven take by name."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from imageqx_export.artifact import Format
from imageqx_export.bundle.manifest import MANIFEST_FILE
from imageqx_export.release.contents import Content
from imageqx_export.release.model import Release, ReleasedArtifact
from imageqx_export.release.names import MAVEN_FOLDER, sort_key

GROUP = "org.imageqx"
VERIFICATION_FILE = "verification-metadata.xml"
"""For an app's ``gradle/``: with it Gradle refuses other bytes."""
FORMATS = (Format.TFLITE, Format.ONNX)
"""Those that an Android app runs."""
_MIN_SDK = 26
_NO_DATE = (1980, 1, 1, 0, 0, 0)
_CHECKSUMS = ("md5", "sha1", "sha256", "sha512")
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def name_library(release_model: str, artifact: ReleasedArtifact) -> str:
    """Return the library's name, as ``imageqx-model-tflite-w8a8``."""
    return f"{release_model}-model-{artifact.name}"


def name_folder(library: str) -> str:
    """Return a library's folder in the tree."""
    return f"{MAVEN_FOLDER}/{GROUP.replace('.', '/')}/{library}"


def write_libraries(release: Release, files: Mapping[str, Content]) -> dict[str, Content]:
    """Return each model's AAR and POM with their checksums, by their names in the tree.

    Args:
        release: Which.
        files: The release's files by their names in its folder.
    """
    found: dict[str, Content] = {}
    for artifact in release.artifacts:
        if artifact.format not in FORMATS:
            continue
        library = name_library(release.model, artifact)
        stem = f"{name_folder(library)}/{release.version}/{library}-{release.version}"
        contents = {".aar": write_aar(release, artifact, files), ".pom": write_pom(library, release.version).encode()}
        for end, content in contents.items():
            found[stem + end] = content
            found |= write_checksums(stem + end, content)
    return found


def write_aar(release: Release, artifact: ReleasedArtifact, files: Mapping[str, Content]) -> bytes:
    """Return an AAR with a model and its manifest in ``assets/``: stored, and so of the same bytes everywhere."""
    package = f"{GROUP}.model.{artifact.name.replace('-', '_')}"
    manifest = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="{package}">\n'
        f'    <uses-sdk android:minSdkVersion="{_MIN_SDK}" />\n</manifest>\n'
    )
    entries = {
        "AndroidManifest.xml": manifest.encode(),
        "classes.jar": _write_zip({"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\n\r\n"}),
        "R.txt": b"",
        f"assets/{release.model}/{Path(artifact.path).name}": _read(files[artifact.path]),
        f"assets/{release.model}/{MANIFEST_FILE}": _read(files[MANIFEST_FILE]),
        "META-INF/com/android/build/gradle/aar-metadata.properties": (
            f"aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk={_MIN_SDK}\nminCompileSdkExtension=0\n"
        ).encode(),
    }
    return _write_zip(entries)


def write_pom(library: str, version: str) -> str:
    """Return the POM; without Gradle's marker, which would ask for a ``.module`` that there is not."""
    return (
        _HEAD + '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>\n'
        f"<groupId>{GROUP}</groupId><artifactId>{escape(library)}</artifactId><version>{escape(version)}</version>\n"
        f"<packaging>aar</packaging><name>{escape(library)}</name>\n"
        "<description>Is this skin photo good enough for a dermatologist, and if not, why.</description>\n"
        "<licenses><license><name>Apache-2.0</name></license></licenses>\n</project>\n"
    )


def write_versions(library: str, versions: Iterable[str]) -> dict[str, bytes]:
    """Return ``maven-metadata.xml``, which version ranges and ``latest`` are looked up in, with its checksums."""
    ordered = sorted(versions, key=sort_key)
    released = [version for version in ordered if "-" not in version] or ordered
    rows = "".join(f"<version>{escape(version)}</version>" for version in ordered)
    text = (
        _HEAD + f"<metadata><groupId>{GROUP}</groupId><artifactId>{escape(library)}</artifactId>\n"
        f"<versioning><latest>{ordered[-1]}</latest><release>{released[-1]}</release>\n"
        f"<versions>{rows}</versions></versioning></metadata>\n"
    )
    name = f"{name_folder(library)}/maven-metadata.xml"
    return {name: text.encode(), **write_checksums(name, text.encode())}


def write_verification(release: Release, libraries: Mapping[str, Content]) -> bytes:
    """Return Gradle's verification metadata of a release: the SHA-256 of each AAR and POM."""
    rows = []
    for artifact in release.artifacts:
        if artifact.format not in FORMATS:
            continue
        library = name_library(release.model, artifact)
        stem = f"{name_folder(library)}/{release.version}/{library}-{release.version}"
        files = ""
        for end in (".aar", ".pom"):
            sha256 = hashlib.sha256(_read(libraries[stem + end])).hexdigest()
            files += f"      <artifact name={quoteattr(Path(stem + end).name)}>"
            files += f'<sha256 value="{sha256}" origin="imageqx publish"/></artifact>\n'
        head = f'    <component group="{GROUP}" name={quoteattr(library)} version="{release.version}">\n'
        rows.append(f"{head}{files}    </component>\n")
    text = (
        _HEAD + '<verification-metadata xmlns="https://schema.gradle.org/dependency-verification">\n'
        "  <configuration><verify-metadata>true</verify-metadata>"
        "<verify-signatures>false</verify-signatures></configuration>\n"
        f"  <components>\n{''.join(rows)}  </components>\n</verification-metadata>\n"
    )
    return text.encode()


def write_checksums(name: str, content: bytes) -> dict[str, bytes]:
    """Return a file's checksums as files beside it, as Maven and Gradle ask for them."""
    return {f"{name}.{kind}": hashlib.new(kind, content).hexdigest().encode() for kind in _CHECKSUMS}


def _write_zip(entries: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name, _NO_DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def _read(content: Content) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()

"""The lines by which an app's own tools take a released model."""

from __future__ import annotations

from pathlib import Path

from imageqx_export.release.maven import FORMATS, GROUP, VERIFICATION_FILE, name_library
from imageqx_export.release.model import Release, ReleasedArtifact
from imageqx_export.release.names import MAVEN_FOLDER, name_folder
from imageqx_export.release.swift import name_module, name_package, name_repository


def find_url(address: str) -> str:
    """Return a release tree's address as a URL: a folder's as ``file://``."""
    return address.rstrip("/") if "://" in address else Path(address).absolute().as_uri()


def write_gradle(address: str, release: Release, artifact: ReleasedArtifact) -> str:
    """Return what goes into ``build.gradle.kts``."""
    library = name_library(release.model, artifact)
    return (
        f'repositories {{ maven {{ url = uri("{find_url(address)}/{MAVEN_FOLDER}") }} }}\n'
        f'dependencies {{ implementation("{GROUP}:{library}:{release.version}@aar") }}\n'
        f"// {name_folder(release.model, release.version)}/{VERIFICATION_FILE} goes into gradle/: it pins the bytes"
    )


def write_maven(address: str, release: Release, artifact: ReleasedArtifact) -> str:
    """Return what goes into ``pom.xml``; without ``fail`` Maven only warns of other bytes."""
    library = name_library(release.model, artifact)
    return (
        f"<repository><id>imageqx</id><url>{find_url(address)}/{MAVEN_FOLDER}</url>"
        "<releases><checksumPolicy>fail</checksumPolicy></releases></repository>\n"
        f"<dependency><groupId>{GROUP}</groupId><artifactId>{library}</artifactId>"
        f"<version>{release.version}</version><type>aar</type></dependency>"
    )


def write_swift(address: str, release: Release, artifact: ReleasedArtifact) -> str:
    """Return what goes into ``Package.swift``."""
    module, package = name_module(release.model, artifact), name_package(release.model, artifact)
    url = f"{find_url(address)}/{name_repository(release.model, artifact)}"
    return f'.package(url: "{url}", exact: "{release.version}"),\n.product(name: "{module}", package: "{package}"),'


def write_lines(address: str, release: Release, artifact: ReleasedArtifact) -> str:
    """Return the lines for the tools of the file's own platform."""
    write = write_gradle if artifact.format in FORMATS else write_swift
    return write(address, release, artifact)

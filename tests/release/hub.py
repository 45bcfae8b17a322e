"""A hub on loopback that takes what ``hf upload`` sends, and keeps it: as much of one as a test needs."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does."""

    protocol_version = "HTTP/1.1"
    files: dict[str, bytes]
    large: dict[str, bytes]

    def do_GET(self) -> None:
        """Tell who is asking and what a repository is."""
        if self.path.endswith("whoami-v2"):
            self.answer({"name": "tester", "type": "user", "orgs": []})
        else:
            self.answer({"id": "tester/imageqx", "sha": "0" * 40, "siblings": [], "tags": []})

    def do_PUT(self) -> None:
        """Take a large file."""
        content = self.read()
        self.large[self.path.rpartition("/")[2]] = content
        self.answer({})

    def do_POST(self) -> None:
        """Take everything else."""
        content = self.read()
        if "/commit/" in self.path:
            self.commit(content)
            self.answer(
                {
                    "commitUrl": f"{self.url}/tester/imageqx/commit/{'1' * 40}",
                    "commitOid": "1" * 40,
                    "pullRequestUrl": None,
                }
            )
        elif "/preupload/" in self.path:
            rows = json.loads(content)["files"]
            large = (".tflite", ".onnx", ".bin", ".mlmodel")
            modes = ["lfs" if row["path"].endswith(large) else "regular" for row in rows]
            self.answer(
                {
                    "files": [
                        {"path": row["path"], "uploadMode": mode, "shouldIgnore": False, "oid": None}
                        for row, mode in zip(rows, modes, strict=True)
                    ]
                }
            )
        elif self.path.endswith("objects/batch"):
            rows = json.loads(content)["objects"]
            self.answer({"transfer": "basic", "objects": [self.offer(row) for row in rows]})
        else:
            self.answer({"url": f"{self.url}/tester/imageqx", "warnings": [], "errors": [], "name": "tester/imageqx"})

    def offer(self, row: dict[str, Any]) -> dict[str, Any]:
        """Say where a large file goes."""
        upload = {"href": f"{self.url}/large/{row['oid']}", "header": {}}
        return {"oid": row["oid"], "size": row["size"], "authenticated": True, "actions": {"upload": upload}}

    def commit(self, content: bytes) -> None:
        """Put the files of a commit together."""
        for line in content.splitlines():
            row = json.loads(line)
            value = row["value"]
            if row["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif row["key"] == "lfsFile":
                large = self.large[value["oid"]]
                assert hashlib.sha256(large).hexdigest() == value["oid"]
                self.files[value["path"]] = large

    @property
    def url(self) -> str:
        """The hub's address."""
        return f"http://{self.headers['Host']}"

    def read(self) -> bytes:
        """Return what was sent."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, value: object) -> None:
        """Send JSON."""
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve_hub() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Give a hub's address, and the files that it gets."""
    files: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Hub,), {"files": files, "large": {}}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", files
    finally:
        server.shutdown()
        server.server_close()

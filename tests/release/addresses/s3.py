"""An S3 server on loopback, of moto, which keeps all in memory: ``python s3.py KIND`` prints its port.

Runs in the environment of requirements.txt. ``honest`` answers as S3 does. ``terse`` does not say which condition did
not hold, as servers do that only speak like S3, and at the first conditional put of a name it asks to come again, as
S3 does of two at once. ``careless`` does not know of conditions.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

Start = Callable[..., Any]
_CONDITION = b"<Condition>If-None-Match</Condition>"
_CONFLICT = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>ConditionalRequestConflict</Code>"
    b"<Message>The conditional request cannot succeed due to a conflicting operation.</Message></Error>"
)


class Server:
    """What moto answers, a request after the other, as it looks and writes in two steps.

    Args:
        app: moto's.
        kind: ``honest``, ``terse`` or ``careless``.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], kind: str) -> None:
        self._app, self._kind = app, kind
        self._lock = threading.Lock()
        self._asked: set[str] = set()

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer a request."""
        with self._lock:
            if self._kind == "careless":
                environ.pop("HTTP_IF_NONE_MATCH", None)
            path = environ["PATH_INFO"]
            if self._kind == "terse" and "HTTP_IF_NONE_MATCH" in environ and path not in self._asked:
                self._asked.add(path)
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start("409 Conflict", [("Content-Type", "text/xml"), ("Content-Length", str(len(_CONFLICT)))])
                return [_CONFLICT]
            return self._shorten(environ, start) if self._kind == "terse" else [b"".join(self._app(environ, start))]

    def _shorten(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        said: list[Any] = []
        content = b"".join(self._app(environ, lambda *words: said.append(words)))
        status, headers, *_ = said[0]
        if _CONDITION in content:
            content = content.replace(_CONDITION, b"")
            headers = [row for row in headers if row[0].lower() != "content-length"]
            headers.append(("Content-Length", str(len(content))))
        start(status, headers)
        return [content]


def main() -> None:
    """Serve until standard input ends."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    class Quiet(MotoRequestHandler):  # type: ignore[misc]
        def log(self, type: str, message: str, *rest: object) -> None:
            pass

    app = Server(DomainDispatcherApplication(create_backend_app), sys.argv[1])
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()

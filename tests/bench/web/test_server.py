"""What the page's server gives and takes."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from imageqx_export.bench.web.server import Served, serve

_open = build_opener(ProxyHandler({})).open


def _write_site(folder: Path) -> Path:
    page = folder / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html>")
    (page / "assets" / "a.wasm").write_bytes(b"\0asm")
    (folder / "secret").write_text("secret")
    return page


def _status(url: str, data: bytes | None = None) -> int:
    try:
        with _open(Request(url, data=data), timeout=10) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def test_files_go_with_their_type_and_the_policy(tmp_path: Path) -> None:
    with serve(_write_site(tmp_path)) as served, _open(served.url + "assets/a.wasm?x=1", timeout=10) as answer:
        assert answer.read() == b"\0asm" and served.sent == 4
        assert answer.headers["Content-Type"] == "application/wasm"
        assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]
        assert served.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("name", ["none", "../secret", "%2e%2e/secret", "artifacts/a.onnx", "job/0"])
def test_what_is_not_the_pages_is_not_found(tmp_path: Path, name: str) -> None:
    with serve(_write_site(tmp_path)) as served:
        assert _status(served.url) == 200
        assert _status(served.url + name) == 404


def test_a_job_is_given_and_its_result_taken(tmp_path: Path) -> None:
    page = _write_site(tmp_path)
    with serve(page, page / "assets") as served:
        served.jobs["0"] = {"mode": "time"}
        with _open(served.url + "job/0", timeout=10) as answer:
            assert json.load(answer) == {"mode": "time"}
        assert _status(served.url + "job/0", b'{"seconds": []}') == 200
        assert served.results.get(timeout=1) == ("0", b'{"seconds": []}')
        assert _status(served.url + "job/1", b"{}") == 404
        assert _status(served.url + "artifacts/a.wasm") == 200


def test_a_server_starts_with_nothing() -> None:
    assert (Served().jobs, Served().sent) == ({}, 0)

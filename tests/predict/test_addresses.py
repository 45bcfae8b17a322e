"""Addresses: each photo's leads back to the machine that it was listed on, and tells no secret."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.spec import AbstractFileSystem
from fsspec.utils import infer_storage_options

from imageqx_export.errors import DatasetError, FetchError, PhotoError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.predict.addresses import list_addresses, read_address
from imageqx_export.predict.archive.rows import collect_rows
from imageqx_export.predict.batch import Assessment
from imageqx_export.predict.sources import gather_photos

SECRET = "hunter2"


class Hosts(AbstractFileSystem):  # type: ignore[misc]
    """Files of machines by name, as FTP has them: a path says nothing of its machine."""

    protocol = "hosts"
    machines: ClassVar[dict[str, dict[str, bytes]]] = {}

    def __init__(self, host: str = "", **more: Any) -> None:
        super().__init__(host=host, **more)
        self.files = self.machines.get(host, {})

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + str(infer_storage_options(path)["path"]).strip("/")

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, Any]:
        return {name: value for name, value in infer_storage_options(path).items() if name == "host"}

    def ls(self, path: str, detail: bool = True, **more: Any) -> list[Any]:
        above = self._strip_protocol(path).rstrip("/") + "/"
        rows: dict[str, dict[str, Any]] = {}
        for name, content in self.files.items():
            if name == above[:-1]:
                return [{"name": name, "size": len(content), "type": "file"}]
            if name.startswith(above):
                child, _, below = name.removeprefix(above).partition("/")
                kind = "directory" if below else "file"
                rows[child] = {"name": above + child, "size": len(content), "type": kind}
        if not rows:
            raise FileNotFoundError(path)
        return list(rows.values()) if detail else [row["name"] for row in rows.values()]

    def _open(self, path: str, mode: str = "rb", **more: Any) -> io.BytesIO:
        if path.endswith("denied.jpg"):
            raise PermissionError(f"403 of hosts://me:{SECRET}@far{path}?X-Sig={SECRET}")
        try:
            return io.BytesIO(self.files[path])
        except KeyError as error:
            raise FileNotFoundError(path) from error


class Lost(Hosts):
    """Machines that an address cannot name: each call of it is another place."""

    protocol = "lost"
    _calls = itertools.count()

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, Any]:
        return {**Hosts._get_kwargs_from_urls(path), "call": next(Lost._calls)}


@pytest.fixture(autouse=True)
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    names = ("/p/a.jpg", "/p/sub/b.png", "/p/notes.txt", "/p/denied.jpg", "/top.jpg")
    monkeypatch.setattr(Hosts, "machines", {host: {name: host.encode() for name in names} for host in ("near", "far")})
    for kind in (Hosts, Lost):
        fsspec.register_implementation(kind.protocol, kind, clobber=True)
        kind.clear_instance_cache()
    yield
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("hosts://far/p", ["hosts://far/p/a.jpg", "hosts://far/p/denied.jpg", "hosts://far/p/sub/b.png"]),
        ("hosts://far/p/sub/", ["hosts://far/p/sub/b.png"]),
        ("hosts://far/p/[ab].jpg", ["hosts://far/p/a.jpg"]),
        ("hosts://far/p/*/b.*", ["hosts://far/p/sub/b.png"]),
        ("hosts://far/*.jpg", ["hosts://far/top.jpg"]),
        ("hosts://me:hunter2@far/p/sub", ["hosts://me:hunter2@far/p/sub/b.png"]),
    ],
)
def test_an_address_keeps_its_machine(source: str, found: list[str]) -> None:
    addresses, _ = list_addresses(source)
    assert list(addresses) == found
    assert {read_address(address) for address in found if "denied" not in address} == {b"far"}


def test_an_archive_on_another_machine() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("in/a.jpg", b"1")
        archive.writestr("b.jpg", b"2" * 99)
    Hosts.machines["far"]["/all.zip"] = content.getvalue()
    for source, found in (
        ("zip://::hosts://far/all.zip", ["zip://b.jpg::hosts://far/all.zip", "zip://in/a.jpg::hosts://far/all.zip"]),
        ("zip://in::hosts://far/all.zip", ["zip://in/a.jpg::hosts://far/all.zip"]),
        ("zip://*.jpg::hosts://far/all.zip", ["zip://b.jpg::hosts://far/all.zip"]),
    ):
        assert list(list_addresses(source)[0]) == found
        assert all(read_address(address) for address in found)


def test_a_folder_whose_addresses_lead_elsewhere_is_refused() -> None:
    # Of the second, what follows "?" is lost on the way: as a folder it would be all of the photos.
    for source in (f"lost://me:{SECRET}@far/p", f"hosts://me:{SECRET}@far/p/?.jpg"):
        with pytest.raises(DatasetError, match="the photos there have no addresses of their own") as caught:
            list_addresses(source)
        assert SECRET not in str(caught.value)


def test_http_is_asked_nothing_about_a_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a request")

    monkeypatch.setattr("imageqx_export.predict.addresses.open_place", refuse)
    for address in ("https://host/a.jpg", "HTTP://host/a?x=[1]", "https://host/*.jpg"):
        assert list_addresses(address) == ((address,), {})


def test_what_is_not_there_is_told_from_what_cannot_be_fetched(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", b"12345678")
    damaged = (tmp_path / "a.zip").read_bytes().replace(b"12345678", b"12345679")
    (tmp_path / "a.zip").write_bytes(damaged)
    for address in ("hosts://far/none.jpg", f"file://{tmp_path}", f"zip://a.jpg::{tmp_path}/a.zip"):
        with pytest.raises(PhotoError) as caught:
            read_address(address)
        assert not isinstance(caught.value, FetchError)
    with pytest.raises(FetchError, match="the photo cannot be fetched"):
        read_address("hosts://far/p/denied.jpg")
    with pytest.raises(FetchError):
        read_address("nosuch://bucket/a.jpg")


def test_messages_have_no_secrets_and_rows_have_the_address_as_given() -> None:
    address = f"hosts://me:{SECRET}@far/p/denied.jpg"
    with pytest.raises(FetchError) as caught:
        read_address(address)
    assert "hosts://me:…@far" in str(caught.value) and "X-Sig=…" in str(caught.value)
    rows = collect_rows([Assessment(address, caught.value)], spec())
    assert SECRET not in str(caught.value) + str(rows.unfetched) + str(rows.reason)
    assert address.encode() in rows.table and f"X-Sig={SECRET}".encode() not in rows.table
    with pytest.raises(DatasetError) as refused:
        gather_photos([f"memory://{SECRET}@far/*.jpg?X-Sig={SECRET}2"])
    assert f"{SECRET}2" not in str(refused.value)

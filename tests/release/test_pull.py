"""An app pulls: over loopback, resumed, offline, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from imageqx_export.artifact import Format, Precision
from imageqx_export.errors import ReleaseError
from imageqx_export.release.client import Source
from imageqx_export.release.names import parse_wanted
from imageqx_export.release.pull import Pulled, list_releases, pull
from imageqx_export.support.files import digest
from tests.release.servers import Attack, Handler, serve
from tests.release.tiny import Publisher, write_export


def pull_model(source: Source, out: Path, wanted: str = "imageqx@1.0.0", golden: bool = False) -> Pulled:
    return pull(parse_wanted(wanted), Format.TFLITE, Precision.W8A8, source, out, golden=golden)


def test_a_pull_writes_the_published_file_and_leaves_the_rest(
    published: Publisher, export: Path, tmp_path: Path
) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "font.ttf").write_bytes(b"the app's")
    with serve(published.tree) as (address, _):
        source = Source(address, published.root, tmp_path / "cache")
        pulled = pull_model(source, tmp_path / "assets", golden=True)
        wanted, xml = parse_wanted("imageqx@1.0.0"), tmp_path / "gradle" / "verification-metadata.xml"
        pull(wanted, Format.TFLITE, Precision.W8A8, source, tmp_path / "assets", verification=xml)
    assert xml.read_bytes() == (published.tree / "imageqx" / "1.0.0" / xml.name).read_bytes()
    names = ["font.ttf", "golden/00.png", "imageqx_w8a8.tflite", "manifest.json"]
    files = [path for path in (tmp_path / "assets").rglob("*") if path.is_file()]
    assert sorted(path.relative_to(tmp_path / "assets").as_posix() for path in files) == names
    assert digest(pulled.path) == digest(export / "imageqx_w8a8.tflite")
    assert pulled.path.stat().st_mode & 0o777 == 0o644
    assert pulled.downloaded == sum((export / name).stat().st_size for name in names[1:])


def test_a_package_is_a_folder_in_one_step(published: Publisher, export: Path, tmp_path: Path) -> None:
    source = Source(str(published.tree), published.root, tmp_path / "cache")
    for _ in range(2):
        pulled = pull(parse_wanted("imageqx@1.0.0"), Format.COREML, Precision.FP16, source, tmp_path / "app")
        assert digest(pulled.path) == digest(export / "imageqx_fp16.mlpackage")
    assert {path.stat().st_mode & 0o777 for path in pulled.path.rglob("*") if path.is_file()} == {0o644}


def test_channels(published: Publisher, newer: Path, tmp_path: Path) -> None:
    source = Source(str(published.tree), published.root, tmp_path / "cache")
    assert list_releases(source) == [("imageqx", "1.1.0-beta.1", "beta"), ("imageqx", "1.0.0", "stable")]
    assert pull_model(source, tmp_path / "a", "imageqx").release.version == "1.0.0"
    assert (
        pull_model(source, tmp_path / "b", "imageqx@beta").path.read_bytes()
        == (newer / "imageqx_w8a8.tflite").read_bytes()
    )


def test_the_root_is_given_once(published: Publisher, tmp_path: Path) -> None:
    bare = Source(str(published.tree), cache=tmp_path / "cache")
    with pytest.raises(ReleaseError, match="no root is trusted for this address yet"):
        list_releases(bare)
    list_releases(Source(str(published.tree), published.root, tmp_path / "cache"))
    assert len(list_releases(bare)) == 2


def test_what_is_cached_needs_no_server(published: Publisher, tmp_path: Path) -> None:
    with serve(published.tree) as (address, asked):
        source = Source(address, published.root, tmp_path / "cache")
        pull_model(source, tmp_path / "one")
        before = len(asked)
        assert pull_model(source, tmp_path / "two").downloaded == 0
        assert [path for path, _ in asked[before:]] == ["/metadata/2.root.json", "/metadata/timestamp.json"]
    offline = Source(address, cache=tmp_path / "cache", offline=True)
    pulled = pull_model(offline, tmp_path / "three")
    assert pulled.path.read_bytes() == (tmp_path / "one" / pulled.path.name).read_bytes()
    with pytest.raises(ReleaseError, match="was not pulled before"):
        pull_model(offline, tmp_path / "four", "imageqx@beta")
    assert not (tmp_path / "four").exists()


def test_a_damaged_cache_is_pulled_again(published: Publisher, export: Path, tmp_path: Path) -> None:
    source = Source(str(published.tree), published.root, tmp_path / "cache")
    pull_model(source, tmp_path / "one")
    for path in (tmp_path / "cache").glob("*/targets/*"):
        path.write_bytes(b"damaged")
    pulled = pull_model(source, tmp_path / "two")
    assert digest(pulled.path) == digest(export / "imageqx_w8a8.tflite")


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_goes_on_where_it_stopped(ranges: bool, published: Publisher, export: Path, tmp_path: Path) -> None:
    content = (export / "imageqx_w8a8.tflite").read_bytes()

    def cut(handler: Handler, path: str) -> bool:
        if not path.endswith("w8a8.tflite"):
            return False
        handler.answer(200, content[:1500], claim=len(content))
        return True

    def ignore_ranges(handler: Handler, path: str) -> bool:
        if not path.endswith("w8a8.tflite") or ranges:
            return False
        handler.answer(200, content)
        return True

    cache = tmp_path / "cache"
    port: list[Attack] = []
    with serve(published.tree, lambda handler, path: port[0](handler, path)) as (address, asked):
        source = Source(address, published.root, cache)
        port.append(cut)
        with pytest.raises(ReleaseError, match="the download was cut off"):
            pull_model(source, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        port[0] = ignore_ranges
        pulled = pull_model(source, tmp_path / "out")
    assert pulled.path.read_bytes() == content
    assert asked[-2] == ("/imageqx/1.0.0/imageqx_w8a8.tflite", "bytes=1500-")
    assert list(cache.glob("*/parts/*")) == []


def test_a_resumed_download_of_other_bytes_is_refused_and_forgotten(
    published: Publisher, export: Path, tmp_path: Path
) -> None:
    content = (export / "imageqx_w8a8.tflite").read_bytes()
    attacks = [True]

    def swap(handler: Handler, path: str) -> bool:
        if not path.endswith("w8a8.tflite") or not attacks:
            return False
        attacks.pop()
        handler.answer(200, b"x" * 1500, claim=len(content))
        return True

    with serve(published.tree, swap) as (address, _):
        source = Source(address, published.root, tmp_path / "cache")
        with pytest.raises(ReleaseError, match="cut off"):
            pull_model(source, tmp_path / "out")
        with pytest.raises(ReleaseError, match="not the one that was signed"):
            pull_model(source, tmp_path / "out")
        assert pull_model(source, tmp_path / "out").path.read_bytes() == content


def test_a_pull_that_is_killed_leaves_the_old_files_and_goes_on_where_it_stopped(
    publisher: Publisher, tmp_path: Path
) -> None:
    export = write_export(tmp_path / "large", size=400_000)
    publisher.publish(export, "1.0.0")
    content = (export / "imageqx_w8a8.tflite").read_bytes()
    came, hold = threading.Event(), [True]

    def stop(handler: Handler, path: str) -> bool:
        if not path.endswith("w8a8.tflite") or not hold:
            return False
        hold.clear()
        handler.answer(200, content[:200_000], claim=len(content))
        handler.wfile.flush()
        came.set()
        handler.connection.recv(1)  # until it hangs up
        return True

    out = tmp_path / "out"
    out.mkdir()
    (out / "imageqx_w8a8.tflite").write_bytes(b"the old one")
    with serve(publisher.tree, stop) as (address, asked):
        words = ["pull", "imageqx@1.0.0", "--format", "tflite", "--precision", "w8a8", "--from", address]
        command = [str(Path(sys.executable).parent / "imageqx"), *words, "--out", str(out)]
        environment = {**os.environ, "IMAGEQX_RELEASES_CACHE": str(tmp_path / "cache")}
        with subprocess.Popen(
            [*command, "--root", str(publisher.root)], env=environment, stderr=subprocess.DEVNULL
        ) as process:
            assert came.wait(60)
            (part,) = wait_for(tmp_path / "cache", "*/parts/*.part")
            process.kill()
        assert [path.name for path in out.iterdir()] == ["imageqx_w8a8.tflite"]
        assert (out / "imageqx_w8a8.tflite").read_bytes() == b"the old one"
        pulled = pull_model(Source(address, publisher.root, tmp_path / "cache"), out)
    assert pulled.path.read_bytes() == content and not part.exists()
    (start,) = (int(words[6:-1]) for path, words in asked if path.endswith("w8a8.tflite") and words)
    assert 0 < start <= 200_000


def wait_for(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a pattern, once there is one with bytes in it."""
    for _ in range(600):
        if found := [path for path in folder.glob(pattern) if path.stat().st_size]:
            return found
        time.sleep(0.05)
    raise AssertionError(f"nothing in {folder}")


def test_several_at_once_share_a_cache(published: Publisher, tmp_path: Path) -> None:
    failures: list[Exception] = []
    with serve(published.tree) as (address, _):

        def run(number: int) -> None:
            try:
                pull_model(Source(address, published.root, tmp_path / "cache"), tmp_path / str(number))
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=[number]) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_a_full_disk_is_told_before_anything_is_pulled(
    published: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=1000))
    with pytest.raises(OSError, match="No space left on device"):
        pull_model(Source(str(published.tree), published.root, tmp_path / "cache"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("most", [3900, 4100])
def test_a_disk_that_fills_up_leaves_the_old_files(most: int, published: Publisher, tmp_path: Path) -> None:
    """Whether the model has no room, of 4,000 bytes, or the manifest of more that goes with it, both cached."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "imageqx_w8a8.tflite").write_bytes(b"the old one")
    code = (
        "import resource, sys; from imageqx_export.cli import main;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most})); import signal;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); main()"
    )
    words = ["pull", "imageqx@1.0.0", "--format", "tflite", "--precision", "w8a8", "--from", str(published.tree)]
    pull_model(Source(str(published.tree), published.root, tmp_path / "cache"), tmp_path / "elsewhere")
    environment = {**os.environ, "IMAGEQX_RELEASES_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", code, *words, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1 and "file too large" in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert (out / "imageqx_w8a8.tflite").read_bytes() == b"the old one"
    assert [path.name for path in out.iterdir()] == ["imageqx_w8a8.tflite"]

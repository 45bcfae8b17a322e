"""Releases on S3 and on Google Cloud Storage, with their own libraries and servers on loopback: ``make test-release``.

The servers are moto and fake-gcs-server, in an environment of their own (tests/release/addresses/requirements.txt).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imageqx_export.support.files import digest
from tests.release.addresses.servers import ENVIRONMENT, Place, serve_gs, serve_s3
from tests.release.tiny import write_export

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / os.environ.get("IMAGEQX_EXPORTED", "artifacts/imageqx")
IMAGEQX = Path(sys.executable).parent / "imageqx"
MODEL = "imageqx_w8a8.tflite"
KINDS = {"s3": serve_s3, "gs": serve_gs}


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """Install s3fs, gcsfs and the servers, once a machine."""
    ENVIRONMENT.prepare()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give what lies on this machine: keys, exports, caches, apps."""
    return tmp_path_factory.mktemp("addresses")


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    """Give a bucket with the export as 1.0.0; each test of one kind adds versions of its own, and needs no other's."""
    with KINDS[request.param]() as place:
        run(place, folder, "publish", "--init-keys", *name_keys(place, folder))
        run(place, folder, *publish(place, folder, ARTIFACTS, "1.0.0"))
        yield place


def begin(place: Place, folder: Path, *words: str | Path) -> subprocess.Popen[str]:
    """Begin a command as a person would."""
    words_of = {"IMAGEQX_ROOT_PASSPHRASE": "offline", "IMAGEQX_KEYS_PASSPHRASE": "online"}
    environment = {**place.environment, **words_of, "IMAGEQX_RELEASES_CACHE": str(folder / "cache" / place.scheme)}
    command = [str(IMAGEQX), *map(str, words)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a command; return its exit code and all that it said."""
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, out + err


def run(place: Place, folder: Path, *words: str | Path, code: int = 0) -> str:
    """Run a command to its end."""
    got, text = end(begin(place, folder, *words))
    assert got == code, text
    return text


def publish(place: Place, folder: Path, export: Path, version: str) -> list[str | Path]:
    """Return the words that publish an export."""
    checkpoint: list[str | Path] = [] if export == ARTIFACTS else ["--checkpoint", export.parent / "model.safetensors"]
    return ["publish", export, "--version", version, *checkpoint, *name_keys(place, folder)]


def name_keys(place: Place, folder: Path) -> list[str | Path]:
    """Return the options of whoever publishes."""
    return ["--keys", folder / f"keys-{place.scheme}", "--to", place.address]


def pull(place: Place, folder: Path, address: str, out: str) -> list[str | Path]:
    """Return the words that pull the app's model."""
    root = folder / f"keys-{place.scheme}" / "root.json"
    words: list[str | Path] = [
        "pull",
        "imageqx@1.0.0",
        "--format",
        "tflite",
        "--precision",
        "w8a8",
        "--from",
        address,
        "--root",
        root,
    ]
    return [*words, "--out", folder / f"{out}-{place.scheme}"]


def list_releases(place: Place, folder: Path) -> list[str | Path]:
    """Return the words that list what was published."""
    return ["releases", "--from", place.address, "--root", folder / f"keys-{place.scheme}" / "root.json"]


def make_export(folder: Path, name: str, seed: int) -> Path:
    """Return a small export, made once."""
    return folder / name / "imageqx" if (folder / name).exists() else write_export(folder / name, seed)


def test_a_release_is_published_and_every_file_is_there(place: Place) -> None:
    sums = place.read("imageqx/1.0.0/SHA256SUMS").decode().splitlines()
    assert len(sums) > 100
    for line in sums:
        sha256, name = line.split("  ")
        assert hashlib.sha256(place.read(f"imageqx/1.0.0/{name}")).hexdigest() == sha256
    assert place.read("maven/org/imageqx/imageqx-model-tflite-w8a8/maven-metadata.xml").startswith(b"<?xml")


def test_it_is_pulled_from_the_bucket_and_over_the_web_and_then_needs_neither(place: Place, folder: Path) -> None:
    for address, out in ((place.address, "bucket"), (place.web, "web")):
        run(place, folder, *pull(place, folder, address, out))
        assert digest(folder / f"{out}-{place.scheme}" / MODEL) == digest(ARTIFACTS / MODEL)
        run(place, folder, *pull(place, folder, address, f"{out}-again"), "--offline")
        assert digest(folder / f"{out}-again-{place.scheme}" / MODEL) == digest(ARTIFACTS / MODEL)


def test_the_same_version_with_other_bytes_is_refused(place: Place, folder: Path) -> None:
    before = place.read("imageqx/1.0.0/release.json")
    text = run(place, folder, *publish(place, folder, make_export(folder, "one", 1), "1.0.0"), code=1)
    assert "1.0.0 is published already, with other bytes" in text
    assert place.read("imageqx/1.0.0/release.json") == before


def test_of_two_publishers_of_a_version_one_wins_and_the_other_is_told(place: Place, folder: Path) -> None:
    exports = [make_export(folder, "one", 1), make_export(folder, "two", 2)]
    both = [begin(place, folder, *publish(place, folder, export, "1.1.0")) for export in exports]
    ends = [end(process) for process in both]
    assert sorted(code for code, _ in ends) == [0, 1], ends
    (told,) = (text for code, text in ends if code == 1)
    assert "with other bytes" in told
    won = exports[[code for code, _ in ends].index(0)]
    assert place.read(f"imageqx/1.1.0/{MODEL}") == (won / MODEL).read_bytes()


def test_two_versions_at_once_both_get_in(place: Place, folder: Path) -> None:
    export = make_export(folder, "one", 1)
    both = [begin(place, folder, *publish(place, folder, export, version)) for version in ("1.2.0", "1.3.0")]
    ends = [end(process) for process in both]
    assert [code for code, _ in ends] == [0, 0], ends
    rows = json.loads(run(place, folder, *list_releases(place, folder), "--json"))
    versions = [row["version"] for row in rows]
    assert {"1.0.0", "1.2.0", "1.3.0"} <= set(versions) and versions == sorted(versions, reverse=True)


def test_a_killed_publisher_leaves_what_was_there_and_can_go_on(place: Place, folder: Path) -> None:
    words = publish(place, folder, make_export(folder, "two", 2), "1.4.0")
    for seconds in (1.5, 2.5):
        process = begin(place, folder, *words)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    run(place, folder, *pull(place, folder, place.address, "killed"))
    run(place, folder, *words)
    assert "1.4.0" in run(place, folder, *list_releases(place, folder))


ASKED = """
import json, sys
from imageqx_export.release.store import open_store
store = open_store(sys.argv[1])
store.list_names("listed")
print(len(store.read("listed/old", 99)), flush=True)
sys.stdin.readline()
print(store.read("listed/old", 99).decode(), store.find_digest("listed/new"), store.list_names("listed"))
"""


def test_what_others_write_is_seen_though_it_was_listed_before(place: Place) -> None:
    """s3fs and gcsfs take sizes, and what there is, from a folder's last list."""
    place.write("listed/old", b"1")
    command = [sys.executable, "-c", ASKED, place.address]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=place.environment, text=True, stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "1\n"
        place.write("listed/old", b"longer than it was")
        place.write("listed/new", b"new")
        said, _ = process.communicate("go on\n", timeout=60)
    wanted = hashlib.sha256(b"new").hexdigest()
    assert said == f"longer than it was {wanted} ['new', 'old']\n"


CREATED = """
import sys
from imageqx_export.release.store import open_store
store = open_store(sys.argv[1])
print(store.create("a", b"one"), store.create("a", b"two"), store.create("b", b"one"))
"""


def test_a_server_that_only_speaks_like_s3_keeps_publishers_apart_too() -> None:
    """It says 412 without S3's own word for it, and once 409, as S3 does where two put at once."""
    with serve_s3("terse") as place:
        command = [sys.executable, "-c", CREATED, place.address]
        done = subprocess.run(command, cwd=ROOT, env=place.environment, capture_output=True, text=True, check=False)
        assert done.stdout == "True False True\n", done.stderr
        assert place.read("a") == b"one"


def test_a_place_that_keeps_nobody_apart_is_refused(tmp_path: Path) -> None:
    with serve_s3("careless") as place:
        text = run(place, tmp_path, "publish", "--init-keys", *name_keys(place, tmp_path), code=1)
        assert "two publishers cannot be kept apart there" in text and "copy the folder there" in text


def test_no_bucket_is_one_sentence(place: Place, tmp_path: Path, folder: Path) -> None:
    elsewhere = ["releases", "--from", f"{place.scheme}://nobodys-bucket/x", "--root"]
    text = run(place, tmp_path, *elsewhere, folder / f"keys-{place.scheme}" / "root.json", code=1)
    assert text.startswith("error: "), text
    nowhere = f"{place.scheme}://nobodys-bucket/x"
    text = run(place, tmp_path, "publish", "--init-keys", "--keys", tmp_path / "keys", "--to", nowhere, code=1)
    assert text.startswith("error: there is no such bucket") and nowhere in text

"""A story on loopback, with real files and real tools: ``make test-release``.

Keys are made and 1.0.0 is published; an app pulls it by the command line, by Maven and by SwiftPM; 1.1.0 comes and is
compared; an attacker's servers are refused; keys are rotated, publishers are killed, two race; and the app pulls on.
Long because the tests build on one another, in this order.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from imageqx_export.support.caches import find_cache
from imageqx_export.support.files import digest
from tests.ios import toolchain
from tests.release.hub import serve_hub
from tests.release.servers import Handler, serve
from tests.release.tiny import make_publisher, write_export

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / os.environ.get("IMAGEQX_EXPORTED", "artifacts/imageqx")
IMAGEQX = Path(sys.executable).parent / "imageqx"
MODEL = "imageqx_w8a8.tflite"
PULL = ("--format", "tflite", "--precision", "w8a8")


@dataclass(frozen=True)
class Story:
    """Where it takes place."""

    folder: Path
    address: str

    @property
    def tree(self) -> Path:
        """The release tree."""
        return self.folder / "tree"

    @property
    def environment(self) -> dict[str, str]:
        """What the commands see."""
        words = {"IMAGEQX_ROOT_PASSPHRASE": "offline", "IMAGEQX_KEYS_PASSPHRASE": "online"}
        return {**os.environ, **words, "IMAGEQX_RELEASES_CACHE": str(self.folder / "cache")}

    def run(self, *words: str | Path, code: int = 0) -> str:
        """Run a command as a person would; return what it printed, or the error."""
        command = [str(IMAGEQX), *map(str, words)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if code == 0 else done.stderr

    def publish(self, artifacts: Path, version: str, code: int = 0) -> str:
        """Publish."""
        return self.run("publish", artifacts, "--version", version, *self.keys, code=code)

    @property
    def keys(self) -> tuple[str | Path, ...]:
        """The options of whoever publishes."""
        return "--keys", self.folder / "keys", "--to", self.tree

    def pull(self, wanted: str, out: str, *more: str, address: str = "", code: int = 0) -> str:
        """Pull the app's model."""
        return self.run(
            "pull", wanted, *PULL, "--from", address or self.address, "--out", self.folder / out, *more, code=code
        )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Serve the tree, which is not there yet."""
    folder = tmp_path_factory.mktemp("story")
    with serve(folder / "tree") as (address, _):
        yield Story(folder, address)


@pytest.fixture(scope="module")
def newer(story: Story) -> Path:
    """Make an export with the same models, another threshold and other labels."""
    folder = story.folder / "newer" / "imageqx"
    shutil.copytree(ARTIFACTS, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    for artifact in manifest["artifacts"]:
        artifact["spec"]["thresholds"]["blurry"] = 0.75
        artifact["spec"]["reasons"].reverse()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_keys_are_made_and_1_0_0_is_published(story: Story) -> None:
    story.run("publish", "--init-keys", "--root-keys", "2", "--threshold", "2", *story.keys)
    (story.folder / "keys" / "root").rename(story.folder / "safe")  # offline
    shutil.copy(story.folder / "keys" / "root.json", story.folder / "app-root.json")
    story.publish(ARTIFACTS, "1.0.0")
    folder = story.tree / "imageqx" / "1.0.0"
    assert subprocess.run(["sha256sum", "-c", "--status", "SHA256SUMS"], cwd=folder, check=False).returncode == 0
    assert "other bytes" not in story.publish(ARTIFACTS, "1.0.0")


def test_the_app_pulls_by_the_command_line(story: Story) -> None:
    story.pull("imageqx@1.0.0", "app", "--root", str(story.folder / "app-root.json"), "--golden")
    assert digest(story.folder / "app" / MODEL) == digest(ARTIFACTS / MODEL)
    taken = subprocess.run(
        [sys.executable, ROOT / "ios_demo" / "take_model.py", "--help"], capture_output=True, text=True, check=False
    )
    assert taken.returncode == 0
    story.run(
        "pull",
        "imageqx",
        "--format",
        "coreml",
        "--precision",
        "fp16",
        "--from",
        story.address,
        "--out",
        story.folder / "app",
        "--golden",
    )
    took = [
        sys.executable,
        str(ROOT / "ios_demo" / "take_model.py"),
        "--from",
        str(story.folder / "app"),
        "--to",
        str(story.folder / "Model"),
    ]
    assert subprocess.run(took, check=False).returncode == 0
    assert digest(story.folder / "Model" / "imageqx_fp16.mlpackage") == digest(ARTIFACTS / "imageqx_fp16.mlpackage")


def run_maven(story: Story, url: str, version: str, out: Path) -> subprocess.CompletedProcess[str]:
    """Let Maven copy the app's model from a repository, with the lines that ``pull`` and docs/release.md print."""
    repository = find_cache("maven-consumer", "IMAGEQX_MAVEN_CONSUMER")
    shutil.rmtree(repository / "org" / "imageqx", ignore_errors=True)
    project = story.folder / "maven-app"
    project.mkdir(exist_ok=True)
    (project / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>\n'
        "<groupId>app</groupId><artifactId>app</artifactId><version>1</version><packaging>pom</packaging>\n"
        f"<repositories><repository><id>imageqx</id><url>{url}</url>"
        "<releases><checksumPolicy>fail</checksumPolicy></releases></repository></repositories>\n"
        "<dependencies><dependency><groupId>org.imageqx</groupId><artifactId>imageqx-model-tflite-w8a8</artifactId>"
        f"<version>{version}</version><type>aar</type></dependency></dependencies></project>\n"
    )
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
    command = ["mvn", "-B", "-q", f"-Dmaven.repo.local={repository}", goal, f"-DoutputDirectory={out}"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=240)


def take_out(aar: Path) -> bytes:
    """Return the model in an AAR."""
    import zipfile

    with zipfile.ZipFile(aar) as archive:
        return archive.read(f"assets/imageqx/{MODEL}")


@pytest.mark.parametrize("how", ["folder", "server"])
def test_the_app_pulls_by_maven(story: Story, how: str) -> None:
    if shutil.which("mvn") is None:
        pytest.skip("no Maven here: apt install maven")
    url = (story.tree / "maven").as_uri() if how == "folder" else f"{story.address}/maven"
    out = story.folder / f"maven-{how}"
    done = run_maven(story, url, "1.0.0", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert take_out(out / "imageqx-model-tflite-w8a8-1.0.0.aar") == (ARTIFACTS / MODEL).read_bytes()


def test_maven_refuses_a_swapped_file(story: Story) -> None:
    if shutil.which("mvn") is None:
        pytest.skip("no Maven here: apt install maven")

    def swap(handler: Handler, path: str) -> bool:
        if not path.endswith(".aar"):
            return False
        handler.answer(200, (handler.folder / path.lstrip("/")).read_bytes()[:-1] + b"x")
        return True

    with serve(story.tree, swap) as (address, _):
        done = run_maven(story, f"{address}/maven", "1.0.0", story.folder / "swapped")
    assert done.returncode != 0 and "Checksum validation failed" in done.stdout + done.stderr
    assert not list((story.folder / "swapped").glob("*.aar"))


def test_the_app_pulls_by_swiftpm(story: Story) -> None:
    app = story.folder / "swift-app"
    (app / "Sources").mkdir(parents=True)
    story.run(
        "pull", "imageqx", "--format", "coreml", "--precision", "fp16", "--from", story.address, "--out", app / "unused"
    )
    url = f"{story.address}/swift/imageqx-model-fp16.git"
    (app / "Package.swift").write_text(
        "// swift-tools-version:5.9\nimport PackageDescription\n"
        'let package = Package(name: "App", dependencies: [\n'
        f'    .package(url: "{url}", exact: "1.0.0"),\n'
        '], targets: [.executableTarget(name: "App", dependencies: [\n'
        '    .product(name: "ImageQXModelFP16", package: "imageqx-model-fp16"),\n'
        '], path: "Sources")])\n'
    )
    (app / "Sources" / "main.swift").write_text(
        "import ImageQXModelFP16\nprint(ImageQXModelFP16.version, ImageQXModelFP16.url.path)\n"
    )
    done = toolchain.run(["swift", "run", "-j", "1"], app, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    version, path = done.stdout.split()[-2:]
    assert version == "1.0.0"
    assert digest(Path(path)) == digest(ARTIFACTS / "imageqx_fp16.mlpackage")


def test_hugging_face_takes_the_folder(story: Story) -> None:
    folder = story.tree / "imageqx" / "1.0.0"
    with serve_hub() as (address, files):
        environment = {**os.environ, "HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": "hf_test"}
        environment |= {"HF_HOME": str(story.folder / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
        command = [str(IMAGEQX.with_name("hf")), "upload", "tester/imageqx", str(folder), "."]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert set(files) == set(wanted)
    assert all(files[name] == path.read_bytes() for name, path in wanted.items())
    from huggingface_hub import ModelCard

    card = ModelCard.load(folder / "README.md")
    assert card.data.license == "apache-2.0" and card.data.eval_results


def test_1_1_0_is_compared(story: Story, newer: Path) -> None:
    story.publish(newer, "1.1.0")
    text = story.run("diff", "1.0.0", "1.1.0", "--from", story.address, "--json", code=1)
    assert text == ""
    done = subprocess.run(
        [str(IMAGEQX), "diff", "1.0.0", "1.1.0", "--from", story.address, "--json"],
        env=story.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    rows = {row["what"]: row["kind"] for row in json.loads(done.stdout)["rows"]}
    assert rows == {"reasons": "breaks", "thresholds.blurry": "spec"}


ATTACKS = {
    "old": "older releases than were seen before",
    "swapped": "not the one that was signed",
    "endless": "more than was signed",
    "slow": "the server is too slow",
    "other key": "not signed by the keys that are trusted",
}


def attack_by(attack: str, handler: Handler, path: str) -> bool:
    """Answer as an attacker's server does."""
    if attack in ("old", "other key") or not path.endswith(MODEL):
        return False
    if attack == "swapped":
        handler.answer(200, b"x" * (ARTIFACTS / MODEL).stat().st_size)
    elif attack == "slow":
        handler.drip(10)
    else:
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        try:
            while True:
                handler.wfile.write(b"x" * 2**16)
        except OSError:
            pass
    return True


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attackers_server_is_refused(story: Story, attack: str, tmp_path: Path) -> None:
    tree = story.tree
    cache = story.folder / "cache"
    before = {path: path.read_bytes() for path in (story.folder / "app").rglob("*") if path.is_file()}

    root = ["--root", str(story.folder / "app-root.json")]
    if attack == "old":
        tree = tmp_path / "old"
        shutil.copytree(story.tree / "metadata", tree / "metadata")
        state = sorted(tree.glob("metadata/*.snapshot.json"), key=lambda path: int(path.name.split(".")[0]))
        assert len(state) >= 3
    elif attack == "other key":
        attacker = make_publisher(tmp_path / "attacker")
        attacker.publish(write_export(tmp_path / "export"), "1.1.0")
        tree = attacker.tree
    with serve(tree, partial(attack_by, attack)) as (address, _):
        if attack == "old":
            story.run("releases", "--from", address, *root)
            roll_back(story, address)
        patience = "2" if attack == "slow" else "30"  # seconds
        text = story.pull("imageqx@1.1.0", "app", *root, "--timeout", patience, address=address, code=1)
    (told,) = (line for line in text.splitlines() if line.startswith("error: "))
    assert ATTACKS[attack] in told, text
    assert {path: path.read_bytes() for path in (story.folder / "app").rglob("*") if path.is_file()} == before
    assert cache.is_dir()


def roll_back(story: Story, address: str) -> None:
    """Let the cache for an address have seen a newer timestamp than the server shows."""
    import hashlib

    tree = hashlib.sha256(address.encode()).hexdigest()[:16]
    (place,) = (story.folder / "cache").glob(f"{tree}-*")
    story.run("keys", "renew", *story.keys)
    for name in ("timestamp", "snapshot", "targets"):
        (place / "metadata" / f"{name}.json").unlink()
    story.run("releases", "--from", story.address)
    own = hashlib.sha256(story.address.encode()).hexdigest()[:16]
    (ours,) = (story.folder / "cache").glob(f"{own}-*")
    for name in ("timestamp", "snapshot", "targets"):
        shutil.copy(ours / "metadata" / f"{name}.json", place / "metadata" / f"{name}.json")


def test_keys_are_rotated_and_the_app_pulls_on(story: Story) -> None:
    text = story.run("keys", "rotate", "targets", *story.keys, code=1)
    assert "too few keys of root" in text
    shutil.copytree(story.folder / "safe", story.folder / "keys" / "root")
    for role in ("targets", "root"):
        story.run("keys", "rotate", role, *story.keys)
    (story.folder / "keys" / "targets-1.key").unlink()
    story.pull("imageqx", "app")
    assert (
        json.loads((story.folder / "app" / "manifest.json").read_text())["artifacts"][0]["spec"]["thresholds"]["blurry"]
        == 0.75
    )


def test_a_killed_publisher_leaves_the_old_releases_and_goes_on(story: Story) -> None:
    command = [str(IMAGEQX), "publish", str(ARTIFACTS), "--version", "1.2.0", *map(str, story.keys)]
    for seconds in (1.5, 3.0, 4.5):
        process = subprocess.Popen(
            command, cwd=ROOT, env=story.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        rows = json.loads(story.run("releases", "--from", story.address, "--json"))
        assert [row["version"] for row in rows][-2:] == ["1.1.0", "1.0.0"]
    story.publish(ARTIFACTS, "1.2.0")
    story.pull("imageqx@1.2.0", "app")
    assert not list(story.tree.rglob(".*.part"))


def test_two_publishers_at_once_one_wins_and_the_other_is_told(story: Story, newer: Path) -> None:
    processes = [
        subprocess.Popen(
            [str(IMAGEQX), "publish", str(folder), "--version", "1.3.0", *map(str, story.keys)],
            cwd=ROOT,
            env=story.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for folder in (ARTIFACTS, newer)
    ]
    told = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
    assert sorted(code for _, code in told) == [0, 1], told
    (error,) = (text for text, code in told if code == 1)
    assert "with other bytes" in error
    story.pull("imageqx@1.3.0", "app")

"""The app and the kit's Core ML code, compiled against stubs of Apple's modules: ``make test-ios``.

Types, isolation, data races, missing returns and uninitialised values are the compiler's to find, in Swift 6 mode;
that takes ``-emit-sil`` over the whole module, as type checking alone lets races through. Nothing of it runs. Each
broken twin has one mistake of a kind that must not get by.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.ios import toolchain

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "ios_demo"
STUBS = ROOT / "tests" / "ios" / "stubs"
MODULES = (
    "CryptoKit",
    "CoreVideo",
    "CoreGraphics",
    "ImageIO",
    "CoreML",
    "UIKit",
    "SwiftUI",
    "PhotosUI",
    "AVFoundation",
)
SWIFT = ("swiftc", "-swift-version", "6", "-parse-as-library")
KIT, APP = "ImageQXKit/Sources/ImageQXKit", "PhotoCheck"


def compile_sil(
    module: str, sources: list[Path], modules: Path, *options: str, binds: Sequence[Path] = ()
) -> subprocess.CompletedProcess[str]:
    """Compile a module as far as the checks go."""
    files = [str(source) for source in sources]
    checks = ["-wmo", "-emit-sil", "-o", "/dev/null", "-module-name", module, "-I", str(modules), *options]
    return toolchain.run([*SWIFT, *checks, *files], ROOT, binds=[modules.parent, *binds])


def list_sources(demo: Path, folder: str) -> list[Path]:
    """List the Swift files of a folder of the demonstration; the app's come with what Linux' Foundation lacks."""
    extra = [STUBS / "App" / "Foundation.swift"] if folder == APP else []
    return [*sorted((demo / folder).rglob("*.swift")), *extra]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the stubs, and the kit's interface against them."""
    folder = tmp_path_factory.mktemp("ios") / "modules"
    folder.mkdir()
    for module in MODULES:
        sources = [str(source) for source in (STUBS / module).glob("*.swift")]
        interface = ["-emit-module", "-o", str(folder / f"{module}.swiftmodule"), "-suppress-warnings"]
        done = toolchain.run(
            [*SWIFT, "-module-name", module, "-I", str(folder), *interface, *sources], ROOT, binds=[folder.parent]
        )
        assert done.returncode == 0, done.stderr
    interface = ["-emit-module", "-emit-module-path", str(folder / "ImageQXKit.swiftmodule")]
    done = compile_sil("ImageQXKit", list_sources(DEMO, KIT), folder, *interface)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_the_app_compiles_without_a_warning(modules: Path) -> None:
    done = compile_sil("PhotoCheck", list_sources(DEMO, APP), modules)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_tests_for_a_mac_compile(modules: Path) -> None:
    tests = sorted((DEMO / "ImageQXKit" / "Tests" / "ImageQXKitTests").glob("*.swift"))
    testable = modules.parent / "testable"
    testable.mkdir()
    interface = ["-emit-module", "-emit-module-path", str(testable / "ImageQXKit.swiftmodule"), "-enable-testing"]
    done = compile_sil("ImageQXKit", list_sources(DEMO, KIT), modules, *interface)
    assert done.returncode == 0, done.stderr
    # The kit with what only tests may see comes first.
    done = compile_sil("ImageQXKitTests", tests, testable, "-I", str(modules))
    assert (done.returncode, done.stderr) == (0, "")


class Pair(NamedTuple):
    """A copy of the sources with one mistake, and what the compiler says of it."""

    file: str
    old: str
    new: str
    says: str


RACE = """
func race() {
    let session = AVCaptureSession()
    Task.detached { session.startRunning() }
    session.stopRunning()
}
"""
METER, MODEL = f"{APP}/Session/SpeedMeter.swift", f"{KIT}/CoreML/CoreMLModel.swift"
CAMERA, PREVIEW = f"{APP}/Camera/Camera.swift", f"{APP}/Camera/CameraPreview.swift"
SESSION, SPEED = f"{APP}/Session/Session.swift", f"{APP}/Screens/SpeedScreen.swift"
WORDS, PROBLEM = f"{APP}/Words.swift", f"{KIT}/Session/Problem.swift"
FORGET, STARTING = "Task { await loader.forget() }", "Task.detached { self.policy.startOver() }"
PREDICT = "private func predict(_ pixels: RGBPicture)"
PAIRS = {
    "await": Pair(METER, "await self.show(done, all)", "self.show(done, all)", "'async'"),
    "main-actor": Pair(SESSION, FORGET, STARTING, "main actor"),
    "race": Pair(CAMERA, "/// The camera: a preview, ", RACE + "/// ", "later accesses could race"),
    "missing-return": Pair(WORDS, 'find("hint_', '_ = find("hint_', "missing return"),
    "exhaustive": Pair(PROBLEM, "            case .unusableSize: .size\n", "", "must be exhaustive"),
    "kit": Pair(f"{APP}/Screens/AttentionView.swift", "assessment.pixels\n", "assessment.pixel\n", "no member 'pixel'"),
    "protocol": Pair(PREVIEW, "func updateUIView", "func update", "does not conform"),
    "view": Pair(SPEED, 'Text("speed_text")', 'Txt("speed_text")', "cannot find 'Txt'"),
    "device": Pair(CAMERA, ".builtInWideAngleCamera", ".builtInWideCamera", "has no member"),
    "uninitialised": Pair(MODEL, "            model = loaded\n", "", "without initializing"),
    "sendable": Pair(MODEL, "public actor CoreMLModel", "public struct CoreMLModel", "non-sendable"),
    "label": Pair(MODEL, "MLFeatureValue(pixelBuffer:", "MLFeatureValue(buffer:", "argument label"),
    "overtaking": Pair(MODEL, f"{PREDICT} throws", f"{PREDICT} async throws", "'async'"),
    "optional": Pair(
        f"{KIT}/CoreML/CameraFrame.swift", "            guard let base =", "            let base =", "expected"
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_broken_twin_is_refused(name: str, modules: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    pair = PAIRS[name]
    demo = modules.parent / name
    folder = KIT if pair.file.startswith(KIT) else APP
    shutil.copytree(DEMO / folder, demo / folder)
    text = (demo / pair.file).read_text()
    assert pair.old in text
    (demo / pair.file).write_text(text.replace(pair.old, pair.new))
    done = compile_sil("Broken", list_sources(demo, folder), modules)
    errors = [line for line in done.stderr.splitlines() if re.match(r".*: error: ", line)]
    assert done.returncode != 0 and any(pair.says in line for line in errors), errors or done.stderr[-2000:]

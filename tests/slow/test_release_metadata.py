"""TFLITE_METADATA as TensorFlow Lite's own Java reader has it: ``make test-release``; needs a JDK and Maven."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from imageqx_export import networks
from imageqx_export.export.tflite.described import NAME
from imageqx_export.runtimes.tflite import read_metadata
from imageqx_export.support.caches import find_cache
from imageqx_export.support.files import digest

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / os.environ.get("IMAGEQX_EXPORTED", "artifacts/imageqx")
JARS = {
    "org/tensorflow/tensorflow-lite-metadata/0.4.4/tensorflow-lite-metadata-0.4.4.jar": (
        "8c4b6baee166517bcf46228f4410640ff6ccfd8001b40647038c9a903cf15e7d"
    ),
    "com/google/flatbuffers/flatbuffers-java/1.12.0/flatbuffers-java-1.12.0.jar": (
        "3f8c088b4dd04a9858721f2e162508c94db0dd86f961e306ee63ef2eda871bf7"
    ),
}

SHOW = """\
import java.nio.ByteBuffer;
import java.nio.file.*;
import java.util.Arrays;
import org.tensorflow.lite.support.metadata.MetadataExtractor;
import org.tensorflow.lite.support.metadata.schema.*;

public class Show {
    public static void main(String[] files) throws Exception {
        var found = new MetadataExtractor(ByteBuffer.wrap(Files.readAllBytes(Paths.get(files[0]))));
        var model = found.getModelMetadata();
        System.out.println(model.name() + "|" + model.license() + "|" + found.isMinimumParserVersionSatisfied());
        var image = found.getInputTensorMetadata(0);
        var properties = (ImageProperties) image.content().contentProperties(new ImageProperties());
        var way = (NormalizationOptions) image.processUnits(0).options(new NormalizationOptions());
        System.out.println(image.name() + "|" + image.description() + "|" + properties.colorSpace() + "|"
            + properties.defaultSize().width() + "|" + way.mean(0) + "|" + way.std(0));
        for (int i = 0; i < found.getOutputTensorCount(); i++) {
            var one = found.getOutputTensorMetadata(i);
            var shape = Arrays.toString(found.getOutputTensorShape(i));
            System.out.print(one.name() + "|" + one.description() + "|" + shape + "|");
            for (int k = 0; k < one.associatedFilesLength(); k++) {
                var name = one.associatedFiles(k).name();
                System.out.print(new String(found.getAssociatedFile(name).readAllBytes()).replace("\\n", ","));
            }
            System.out.println();
        }
        System.out.println(found.getAssociatedFileNames().contains("spec.json"));
    }
}
"""


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Compile the program that shows a file's metadata; return the command without the file."""
    if shutil.which("mvn") is None or shutil.which("javac") is None:
        pytest.skip("needs Maven and a JDK: apt install maven openjdk-17-jdk-headless")
    repository, folder = find_cache("maven-consumer", "IMAGEQX_MAVEN_CONSUMER"), tmp_path_factory.mktemp("java")
    for name, sha256 in JARS.items():
        if not (repository / name).is_file():
            *group, artifact, version, _ = name.split("/")
            words = f"-Dartifact={'.'.join(group)}:{artifact}:{version}"
            goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get"
            command = ["mvn", "-B", "-q", f"-Dmaven.repo.local={repository}", goal, words, "-Dtransitive=false"]
            subprocess.run(command, check=True, cwd=folder, timeout=240)
        assert digest(repository / name) == sha256, name
    path = ":".join([*(str(repository / name) for name in JARS), str(folder)])
    (folder / "Show.java").write_text(SHOW)
    subprocess.run(["javac", "-cp", path, "Show.java"], check=True, cwd=folder, timeout=120)
    return ["java", "-Dfile.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8", "-cp", path, "Show"]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "w8", "w8a8"])
def test_java_reads_what_the_spec_says(show: list[str], precision: str) -> None:
    path, spec = ARTIFACTS / f"imageqx_{precision}.tflite", networks.spec("imageqx")
    done = subprocess.run([*show, str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    model, image, *outputs, has_spec = done.stdout.splitlines()
    assert (model, image) == ("imageqx|Apache-2.0|true", f"image|{spec.inputs[0].meaning}|1|224|0.0|1.0")
    labels = {"quality": spec.labels, "explanations": spec.reasons}
    assert sorted(outputs) == sorted(
        f"{one.name}|{one.meaning}|{list(one.shape)}|{''.join(f'{label},' for label in labels.get(one.name, ()))}"
        for one in spec.outputs
    )
    assert has_spec == "true" and read_metadata(path)["precision"] == precision


def test_a_file_without_it_is_found(show: list[str], tmp_path: Path) -> None:
    content = (ARTIFACTS / "imageqx_w8a8.tflite").read_bytes()
    (tmp_path / "a.tflite").write_bytes(content.replace(NAME, b"X" * len(NAME)))
    assert subprocess.run([*show, str(tmp_path / "a.tflite")], capture_output=True, check=False).returncode != 0

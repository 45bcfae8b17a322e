import { expect, test } from "vitest";
import { ImageQXError } from "../../src/core/errors.ts";
import { checkFile, findArtifact, readManifest } from "../../src/core/model/manifest.ts";
import { readSpec } from "../../src/core/model/readSpec.ts";
import { type BinaryAnswer, countNumbers, type LabelAnswer } from "../../src/core/model/spec.ts";
import { applyThresholds, readThresholds } from "../../src/core/model/thresholds.ts";
import { BINARY, LABELS } from "./examples.ts";

/** Runs a function, and returns the kind of its error. */
function kindOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof ImageQXError) return error.kind;
    throw error;
  }
  return "none";
}

test("reads labels of version 1", () => {
  const spec = readSpec(LABELS, "a");
  expect(spec.preprocessing).toEqual({ width: 224, height: 224 });
  expect(spec.answer).toEqual({
    kind: "labels",
    labels: ["lesion", "poor_quality"],
    reasons: [{ name: "blurry", threshold: 0.25, hint: "Hold the phone still" }],
    poorThreshold: 0.5,
  });
  expect(spec.outputs.map(countNumbers)).toEqual([2, 1, 49]);
});

test("reads a binary decision of version 2", () => {
  const spec = readSpec(BINARY, "a");
  const answer = spec.answer as BinaryAnswer;
  expect(spec.preprocessing).toEqual({ width: 336, height: 448 });
  expect(answer.ranks).toEqual({ output: "ranks", raters: 4, goodWhenAtLeast: 2 });
  expect(answer.regions?.parts.map((part) => part.name)).toEqual(["center", "left", "right"]);
});

test.each([
  ["model-newer", "a newer version", BINARY, '"schema_version": 2', '"schema_version": 3'],
  ["model-newer", "a version in words", BINARY, '"schema_version": 2', '"schema_version": "2"'],
  ["model-damaged", "no name", LABELS, '"name": "imageqx",', ""],
  ["model-damaged", "half a file", LABELS, LABELS.slice(200), ""],
  ["model-damaged", "a size in words", LABELS, '"height": 224', '"height": "tall"'],
  ["model-unfit", "float pixels", LABELS, "uint8", "float32"],
  ["model-unfit", "another size", LABELS, '"height": 224', '"height": 225'],
  ["model-unfit", "no pixels", LABELS, '"height": 224', '"height": 0'],
  ["model-unfit", "columns first", BINARY, "horizontal-first", "vertical-first"],
  ["model-unfit", "another stretch", LABELS, '"stretch"', '"crop"'],
  ["model-unfit", "no label for poor photos", LABELS, '"poor_quality"]', '"good"]'],
  ["model-unfit", "a label twice", LABELS, '["lesion", ', '["poor_quality", '],
  ["model-unfit", "no hint", LABELS, '{"blurry": "Hold the phone still"}', "{}"],
  ["model-unfit", "a threshold above 1", LABELS, "0.25", "1.25"],
  ["model-unfit", "an output of another size", LABELS, "[1, 2]", "[1, 3]"],
  ["model-unfit", "no such output", LABELS, '"name": "attention"', '"name": "heat"'],
  ["model-unfit", "an output twice", LABELS, '"name": "attention"', '"name": "quality"'],
  ["model-unfit", "a region outside", BINARY, '"left": 0.5', '"left": 0.75'],
  ["model-unfit", "a region twice", BINARY, '"name": "right"', '"name": "left"'],
  ["model-unfit", "labels and a binary decision", BINARY, '"binary": {', '"labels": ["a"], "binary": {'],
  ["model-unfit", "more votes than raters", BINARY, '"good_when_at_least": 2', '"good_when_at_least": 5'],
  ["model-unfit", "one output for two parts", BINARY, '"output": "ranks"', '"output": "regions"'],
  ["model-unfit", "fewer ranks than raters", BINARY, "[1, 4]", "[1, 3]"],
])("refuses as %s: %s", (kind, _, spec, from, to) => {
  expect(spec).toContain(from);
  const error = () => readSpec(spec.replace(from, to), "model.tflite");
  expect(kindOf(error)).toBe(kind);
  expect(error).toThrow("model.tflite");
});

/** Of "abc": FIPS 180-2, appendix B.1. */
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const MANIFEST = `{"schema_version": 1, "model": "imageqx", "artifacts": [{"path": "a.tflite", "format": "tflite",
  "precision": "fp32", "sha256": "${ABC}", "size_bytes": 3, "spec": ${LABELS}}]}`;

test("finds a file in a manifest, and holds it to its digest", () => {
  const manifest = readManifest(MANIFEST, "manifest.json");
  const artifact = findArtifact(manifest, "a.tflite");
  expect(artifact.spec.name).toBe("imageqx");
  checkFile(artifact, 3, ABC);
  expect(kindOf(() => checkFile(artifact, 3, ABC.replace("b", "c")))).toBe("model-damaged");
  expect(kindOf(() => checkFile(artifact, 2, ABC))).toBe("model-damaged");
  expect(kindOf(() => findArtifact(manifest, "b.tflite"))).toBe("model-missing");
});

test("refuses a newer manifest", () => {
  const newer = MANIFEST.replace('"schema_version": 1', '"schema_version": 2');
  expect(kindOf(() => readManifest(newer, "manifest.json"))).toBe("model-newer");
});

function withOwn(spec: string, own: string) {
  return applyThresholds(readSpec(spec, "spec"), readThresholds(own, "thresholds.json"), "thresholds.json").answer;
}

test("what a clinic names takes the spec's place, and the rest stays", () => {
  const labels = withOwn(
    LABELS,
    '{"schema_version": 1, "reasons": {"blurry": 0.75}, "chosen": {"by": "us"}}',
  ) as LabelAnswer;
  expect(labels.reasons[0]?.threshold).toBe(0.75);
  expect(labels.poorThreshold).toBe(0.5);
  const likeliest = withOwn(LABELS, '{"schema_version": 1, "poor_quality": null}') as LabelAnswer;
  expect(likeliest.poorThreshold).toBeNull();
  const binary = withOwn(BINARY, '{"schema_version": 2, "good": 0.9, "regions": 0.1}') as BinaryAnswer;
  expect([binary.threshold, binary.regions?.threshold]).toEqual([0.9, 0.1]);
});

test.each([
  [LABELS, '{"schema_version": 1, "reason": {}}'],
  [LABELS, '{"schema_version": 3}'],
  [LABELS, '{"reasons": {}}'],
  [LABELS, '{"schema_version": 1, "reasons": {"blury": 0.5}}'],
  [LABELS, '{"schema_version": 1, "reasons": {"blurry": 1.5}}'],
  [LABELS, '{"schema_version": 2, "good": 0.5}'],
  [LABELS, '{"schema_version": 1, "good": 0.5}'],
  [BINARY, '{"schema_version": 2, "poor_quality": 0.5}'],
  [BINARY, '{"schema_version": 2, "reasons": {"blurry": 0.5}}'],
  [LABELS, "[]"],
  [LABELS, '{"schema_version": 1'],
])("refuses thresholds that do not fit: %#", (spec, own) => {
  expect(kindOf(() => withOwn(spec, own))).toBe("thresholds");
});

import { expect, test } from "vitest";
import { readSpec } from "../../src/core/model/readSpec.ts";
import { compare } from "../../src/core/selftest/compare.ts";
import { paintProbes } from "../../src/core/selftest/probe.ts";
import { readExpectedOutputs, readSelfTest } from "../../src/core/selftest/selfTest.ts";
import { BINARY, LABELS } from "./examples.ts";

const TOLERANCE = { maxAbs: 0.15, agreement: 0.98, margin: 0.05 };

function compareLabels(poor: number, gotPoor: number) {
  const outputs = (value: number) => ({
    quality: Float32Array.of(0.5, value),
    explanations: Float32Array.of(0),
    attention: new Float32Array(49),
  });
  return compare(readSpec(LABELS, "spec"), [outputs(poor)], [outputs(gotPoor)], TOLERANCE);
}

test("small differences pass", () => {
  const result = compareLabels(0.9, 0.8);
  expect(result.passed && result.maxAbs).toBeCloseTo(0.1, 6);
});

test.each([
  ["a number that is too far off", 0.9, 0.7, false],
  ["another label where PyTorch was sure", 0.56, 0.45, false],
  ["another label where PyTorch was not", 0.54, 0.45, true],
  ["NaN", 0.9, Number.NaN, false],
])("%s", (_, poor, got, passed) => {
  expect(compareLabels(poor, got).passed).toBe(passed);
});

test("a binary decision is held to its threshold", () => {
  const outputs = (good: number) => ({
    good: Float32Array.of(good),
    ranks: new Float32Array(4),
    regions: new Float32Array(3),
  });
  const passes = (got: number) => compare(readSpec(BINARY, "spec"), [outputs(0.7)], [outputs(got)], TOLERANCE).passed;
  expect([passes(0.59), passes(0.61)]).toEqual([false, true]);
});

const WRITTEN = `{"schema_version": 1, "pictures": ["00.png"], "expectations": {"w8a8": {"outputs": "expected_w8a8.json",
  "tolerance": {"max_abs": 0.15, "agreement": 0.98, "margin": 0.05}}}}`;

test("reads what an export writes", () => {
  const read = readSelfTest(WRITTEN, "self_test.json");
  expect(read.expectations.get("w8a8")).toEqual({ outputs: "expected_w8a8.json", tolerance: TOLERANCE });
  const newer = WRITTEN.replace('"schema_version": 1', '"schema_version": 2');
  expect(() => readSelfTest(newer, "self_test.json")).toThrow("schema_version");
  const outputs = readExpectedOutputs('{"00.png": {"attention": [[[1, 2], [3, 4.5]]]}}', "expected.json");
  expect([...(outputs.get("00.png")?.attention ?? [])]).toEqual([1, 2, 3, 4.5]);
});

test.each(["[]", '{"a": 1}', '{"a": {"b": ["x"]}}', "{"])("refuses expected outputs that are none: %s", (text) => {
  expect(() => readExpectedOutputs(text, "expected.json")).toThrow("damaged");
});

test("the probe's pictures are black and white, and no two alike", () => {
  const probes = paintProbes({ width: 224, height: 224 });
  for (const { bytes } of probes) expect(new Set(bytes)).toEqual(new Set([0, 255]));
  expect(new Set(probes.map((probe) => probe.bytes.join())).size).toBe(probes.length);
});

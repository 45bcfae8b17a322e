import { expect, test } from "vitest";
import { readSpec } from "../../src/core/model/readSpec.ts";
import { decide } from "../../src/core/verdict/decide.ts";
import { checkOutputs } from "../../src/core/verdict/outputs.ts";
import { chooseStep, countRetake, FIRST_TRY } from "../../src/core/verdict/retake.ts";
import { type BinaryCase, type LabelCase, readCases } from "../golden.ts";
import { BINARY } from "./examples.ts";

const f32 = Float32Array.from.bind(Float32Array) as (values: Iterable<number>) => Float32Array;

test.each(readCases<LabelCase>("verdicts"))("verdict %# is that of imageqx predict", (each) => {
  const outputs = { quality: f32(each.quality), explanations: f32(each.explanations) };
  const verdict = decide(outputs, readSpec(each.spec, "case"));
  expect(verdict.label).toBe(each.label);
  expect(verdict.retake).toBe(each.retake);
  expect(verdict.findings.map((finding) => finding.name)).toEqual(each.reasons);
  expect(verdict.findings.map((finding) => finding.given)).toEqual(each.given);
  expect(verdict.hints.map((hint) => hint.text)).toEqual(each.hints);
});

test.each(readCases<BinaryCase>("binary"))("yes or no %# is Python's too", (each) => {
  const outputs = { good: f32(each.good), ranks: f32(each.ranks), regions: f32(each.regions) };
  const verdict = decide(outputs, readSpec(each.spec, "case"));
  expect(verdict.retake).toBe(each.retake);
  expect(verdict.votes).toBe(each.votes);
  const bad = verdict.findings.toSorted((a, b) => a.index - b.index).map((finding) => finding.given);
  expect(bad).toEqual(each.bad);
});

function decideBinary(good: number, regions: number[]) {
  const spec = readSpec(BINARY, "spec");
  const outputs = { good: f32([good]), ranks: f32([0.9, 0.4, 0.2, 0.1]), regions: f32(regions) };
  return decide(checkOutputs(outputs, spec), spec);
}

test("a poor photo names its bad regions, the worst first", () => {
  const verdict = decideBinary(0.2, [0.9, 0.3, 0.1]);
  expect(verdict.hints.map((hint) => hint.key)).toEqual(["right", "left"]);
  expect(verdict.votes).toBe(1);
});

test("a poor photo without a bad region gets the model's own hint", () => {
  expect(decideBinary(0.2, [0.9, 0.8, 0.7]).hints).toEqual([{ key: "duke-iqa", text: "Take it again" }]);
});

test("at its threshold a photo is good, and a region too", () => {
  const verdict = decideBinary(0.6, [0.4, 0.4, 0.4]);
  expect(verdict.retake).toBe(false);
  expect(verdict.hints).toEqual([]);
  expect(verdict.findings.some((finding) => finding.given)).toBe(false);
});

test.each([[[]], [[Number.NaN]], [undefined]])(
  "an output that is missing, short or not finite is refused: %j",
  (good) => {
    const outputs = { ...(good && { good: f32(good) }), ranks: f32([0, 0, 0, 0]), regions: f32([0, 0, 0]) };
    expect(() => checkOutputs(outputs, readSpec(BINARY, "spec"))).toThrow("no answer");
  },
);

test("after three retakes a poor photo may be sent anyway", () => {
  let policy = FIRST_TRY;
  const steps = [];
  for (let i = 0; i < 5; i++, policy = countRetake(policy)) steps.push(chooseStep(policy, { retake: true }));
  const anyway = { kind: "retake-or-send-anyway" };
  const retakes = [3, 2, 1].map((left) => ({ kind: "retake", left }));
  expect(steps).toEqual([...retakes, anyway, anyway]);
});

test("a good photo is sent, whatever came before; a clinic may allow no retakes", () => {
  expect(chooseStep({ retakes: 2, allowed: 3 }, { retake: false })).toEqual({ kind: "send" });
  expect(chooseStep({ retakes: 0, allowed: 0 }, { retake: true })).toEqual({ kind: "retake-or-send-anyway" });
});

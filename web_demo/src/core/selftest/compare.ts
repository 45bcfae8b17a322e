import { type Answer, EXPLANATIONS, type LabelAnswer, type ModelSpec, POOR, QUALITY } from "../model/spec.ts";
import { decideLabel, isGiven } from "../verdict/decide.ts";
import { getOutput, type Outputs } from "../verdict/outputs.ts";
import type { Tolerance } from "./selfTest.ts";

/** What a self-test says: the largest |Δ| of any number, or why the runtime is not right here. */
export type SelfTestResult = { passed: true; maxAbs: number } | { passed: false; why: string };

/**
 * Compares what a runtime gave with what PyTorch gave, picture by picture.
 *
 * The same rule as `compare_outputs` in imageqx_export/parity/compare.py.
 *
 * @param wanted PyTorch's outputs.
 * @param got the runtime's, in the same order.
 */
export function compare(
  spec: ModelSpec,
  wanted: readonly Outputs[],
  got: readonly Outputs[],
  tolerance: Tolerance,
): SelfTestResult {
  if (wanted.length !== got.length || wanted.length === 0) {
    throw new RangeError(`as many pictures, got ${wanted.length} and ${got.length}`);
  }
  let maxAbs = 0;
  for (const { name } of spec.outputs) {
    const pairs = wanted.map((outputs, i) => [getOutput(outputs, name), getOutput(got[i] as Outputs, name)] as const);
    const distance = Math.max(...pairs.map(([a, b]) => measure(a, b)));
    if (!Number.isFinite(distance)) return { passed: false, why: `${name} is not finite, or of another size` };
    if (distance > tolerance.maxAbs)
      return { passed: false, why: `${name} is ${distance} off, ${tolerance.maxAbs} is allowed` };
    const decisions = pairs.flatMap(([a, b]) => pairDecisions(spec.answer, name, a, b));
    const differing = decisions.filter((decision) => decision.differs && decision.margin >= tolerance.margin).length;
    if (decisions.length > 0 && (decisions.length - differing) / decisions.length < tolerance.agreement) {
      return { passed: false, why: `${differing} of ${decisions.length} decisions of ${name} differ` };
    }
    maxAbs = Math.max(maxAbs, distance);
  }
  return { passed: true, maxAbs };
}

function measure(wanted: Float32Array, got: Float32Array): number {
  if (wanted.length !== got.length || !got.every(Number.isFinite)) return Number.POSITIVE_INFINITY;
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(Math.fround(value - (got[i] as number)))), 0);
}

/** A decision that both took; `margin` is how near PyTorch was to deciding as the other did. */
interface Decision {
  readonly differs: boolean;
  readonly margin: number;
}

function pairDecisions(answer: Answer, output: string, wanted: Float32Array, got: Float32Array): Decision[] {
  if (answer.kind === "labels") {
    if (output === QUALITY) {
      const differs = decideLabel(wanted, answer) !== decideLabel(got, answer);
      return [{ differs, margin: findMargin(answer, wanted, got) }];
    }
    if (output === EXPLANATIONS)
      return pairThresholds(
        wanted,
        got,
        answer.reasons.map((reason) => reason.threshold),
      );
    return [];
  }
  if (output === answer.output) return pairThresholds(wanted, got, [answer.threshold]);
  const { regions } = answer;
  if (output === regions?.output)
    return pairThresholds(
      wanted,
      got,
      regions.parts.map(() => regions.threshold),
    );
  return [];
}

function pairThresholds(wanted: Float32Array, got: Float32Array, thresholds: readonly number[]): Decision[] {
  return thresholds.map((threshold, i) => ({
    differs: isGiven(wanted[i] as number, threshold) !== isGiven(got[i] as number, threshold),
    margin: Math.abs(Math.fround((wanted[i] as number) - Math.fround(threshold))),
  }));
}

function findMargin(answer: LabelAnswer, wanted: Float32Array, got: Float32Array): number {
  if (answer.poorThreshold === null) return lead([...wanted]);
  const poor = answer.labels.indexOf(POOR);
  const crossed = (decideLabel(wanted, answer) === poor) !== (decideLabel(got, answer) === poor);
  if (crossed) return Math.abs(Math.fround((wanted[poor] as number) - Math.fround(answer.poorThreshold)));
  return lead([...wanted].filter((_, i) => i !== poor));
}

function lead(values: readonly number[]): number {
  const [first, second] = values.toSorted((a, b) => b - a);
  return second === undefined ? Number.MAX_VALUE : Math.fround((first as number) - second);
}

import { ImageQXError } from "../errors.ts";
import { isFields } from "./json.ts";
import type { BinaryAnswer, LabelAnswer, ModelSpec } from "./spec.ts";

/**
 * A clinic's own thresholds, which stand in for the ModelSpec's; what they do not name stays.
 *
 * `imageqx thresholds --thresholds-out` writes them.
 */
export interface Thresholds {
  /** undefined: not named, the spec's holds; null: the likeliest label holds. */
  readonly poorQuality: number | null | undefined;
  readonly reasons: Readonly<Record<string, number>>;
  readonly good: number | undefined;
  readonly regions: number | undefined;
}

/** A misspelt name in a file that people write must not pass unseen. */
const NAMES = ["schema_version", "poor_quality", "reasons", "good", "regions", "chosen"];

/**
 * Reads a clinic's `thresholds.json`.
 *
 * @throws ImageQXError `thresholds`: it is not valid.
 */
export function readThresholds(text: string, where: string): Thresholds {
  const fields = parse(text, where);
  const unknown = Object.keys(fields).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw unfit(where, `only ${NAMES.join(", ")}`, unknown);
  const version = fields.schema_version;
  if (version !== 1 && version !== 2) throw unfit(where, "schema_version 1 or 2", version);
  const { good, regions } = fields;
  if (version === 1 && (good !== undefined || regions !== undefined))
    throw unfit(where, "schema_version 2 for good and regions", 1);
  const reasons = fields.reasons ?? {};
  if (!isFields(reasons)) throw unfit(where, "an object of reasons", reasons);
  for (const value of [...Object.values(reasons), fields.poor_quality ?? 0, good ?? 0, regions ?? 0]) {
    if (!(typeof value === "number" && value >= 0 && value <= 1))
      throw unfit(where, "thresholds within 0 and 1", value);
  }
  return {
    poorQuality: fields.poor_quality as number | null | undefined,
    reasons: reasons as Record<string, number>,
    good: (good ?? undefined) as number | undefined,
    regions: (regions ?? undefined) as number | undefined,
  };
}

/**
 * Returns a spec with a clinic's thresholds in place of its own.
 *
 * @throws ImageQXError `thresholds`: they are for another kind of model, or name a reason that it does not have.
 */
export function applyThresholds(spec: ModelSpec, own: Thresholds, where: string): ModelSpec {
  const { answer } = spec;
  return {
    ...spec,
    answer: answer.kind === "labels" ? applyToLabels(answer, own, where) : applyToBinary(answer, own, where),
  };
}

function applyToLabels(answer: LabelAnswer, own: Thresholds, where: string): LabelAnswer {
  if (own.good !== undefined || own.regions !== undefined)
    throw unfit(where, "poor_quality and reasons", "good or regions");
  const known = answer.reasons.map((reason) => reason.name);
  const unknown = Object.keys(own.reasons).find((name) => !known.includes(name));
  if (unknown !== undefined) throw unfit(where, `reasons of ${known}`, unknown);
  return {
    ...answer,
    reasons: answer.reasons.map((reason) => ({ ...reason, threshold: own.reasons[reason.name] ?? reason.threshold })),
    poorThreshold: own.poorQuality === undefined ? answer.poorThreshold : own.poorQuality,
  };
}

function applyToBinary(answer: BinaryAnswer, own: Thresholds, where: string): BinaryAnswer {
  const named = Object.keys(own.reasons).length > 0;
  if (own.poorQuality !== undefined || named)
    throw unfit(where, "good and regions", named ? "reasons" : "poor_quality");
  if (own.regions !== undefined && !answer.regions) throw unfit(where, "good, as the model has no regions", "regions");
  return {
    ...answer,
    threshold: own.good ?? answer.threshold,
    regions: answer.regions && { ...answer.regions, threshold: own.regions ?? answer.regions.threshold },
  };
}

function parse(text: string, where: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (isFields(value)) return value;
    throw new SyntaxError("no object");
  } catch (error) {
    throw unfit(where, "a file that imageqx thresholds wrote", (error as Error).message);
  }
}

function unfit(where: string, expected: string, got: unknown): ImageQXError {
  return new ImageQXError("thresholds", where, expected, typeof got === "string" ? got : JSON.stringify(got));
}

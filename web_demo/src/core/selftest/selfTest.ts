import { ImageQXError } from "../errors.ts";
import { checkVersion, isFields, parse, Reader } from "../model/json.ts";
import type { Outputs } from "../verdict/outputs.ts";

/** What an app asks of a runtime before it trusts it: `golden/self_test.json`. See docs/self-test.md. */
export interface SelfTest {
  /** Names of pictures beside it, of the model's size: given to it as they are. */
  readonly pictures: readonly string[];
  /** Per precision, what to compare with. */
  readonly expectations: ReadonlyMap<string, Expectation>;
}

/** The file with PyTorch's outputs, beside the self-test, and how far a runtime may be from them. */
export interface Expectation {
  readonly outputs: string;
  readonly tolerance: Tolerance;
}

/** The most that outputs may differ from PyTorch's. */
export interface Tolerance {
  /** Largest |Δ| of any number. */
  readonly maxAbs: number;
  /** Share of the decisions that must be the same, in [0, 1]. */
  readonly agreement: number;
  /** A decision may differ where PyTorch's own margin is below this. */
  readonly margin: number;
}

/** Reads `self_test.json`. */
export function readSelfTest(text: string, where: string): SelfTest {
  const fields = parse(text, where);
  if (isFields(fields)) checkVersion(fields, where, [1]);
  const reader = Reader.of(fields, where);
  const expectations = reader.value("expectations");
  if (!isFields(expectations))
    throw new ImageQXError("model-damaged", where, "an object of expectations", typeof expectations);
  const read = Object.entries(expectations).map(([precision, value]): [string, Expectation] => {
    const each = Reader.of(value, `${where}: ${precision}`);
    const tolerance = each.object("tolerance");
    return [
      precision,
      {
        outputs: each.text("outputs"),
        tolerance: {
          maxAbs: tolerance.number("max_abs"),
          agreement: tolerance.number("agreement"),
          margin: tolerance.number("margin"),
        },
      },
    ];
  });
  return { pictures: reader.texts("pictures"), expectations: new Map(read) };
}

/**
 * Reads PyTorch's outputs, such as `expected.json`: per picture's name its outputs.
 *
 * @throws ImageQXError `model-damaged`: it is no such file.
 */
export function readExpectedOutputs(text: string, where: string): ReadonlyMap<string, Outputs> {
  const rows = parse(text, where);
  if (!isFields(rows)) throw new ImageQXError("model-damaged", where, "an object of pictures", typeof rows);
  return new Map(
    Object.entries(rows).map(([picture, row]) => {
      if (!isFields(row))
        throw new ImageQXError("model-damaged", `${where}: ${picture}`, "an object of outputs", typeof row);
      const outputs = Object.entries(row).map(([name, value]) => [
        name,
        flatten(value, `${where}: ${picture}: ${name}`),
      ]);
      return [picture, Object.fromEntries(outputs)];
    }),
  );
}

function flatten(value: unknown, where: string): Float32Array {
  const flat = (Array.isArray(value) ? value : [value]).flat(Number.POSITIVE_INFINITY);
  if (!flat.every(Number.isFinite))
    throw new ImageQXError("model-damaged", where, "numbers", JSON.stringify(value).slice(0, 80));
  return Float32Array.from(flat as number[]);
}

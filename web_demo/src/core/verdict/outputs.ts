import { ImageQXError } from "../errors.ts";
import { countNumbers, type ModelSpec } from "../model/spec.ts";

/** What a model gave for one photo: per output's name its numbers, row by row, without the batch. */
export type Outputs = Readonly<Record<string, Float32Array>>;

/**
 * Returns an output's numbers.
 *
 * @throws ImageQXError `model-failed`: there is no such output.
 */
export function getOutput(outputs: Outputs, name: string): Float32Array {
  const numbers = outputs[name];
  if (!numbers) throw new ImageQXError("model-failed", name, "an output", `only ${Object.keys(outputs)}`);
  return numbers;
}

/**
 * Holds outputs to a spec.
 *
 * @throws ImageQXError `model-failed`: one is missing, of another size, or not finite.
 */
export function checkOutputs(outputs: Outputs, spec: ModelSpec): Outputs {
  for (const output of spec.outputs) {
    const numbers = getOutput(outputs, output.name);
    const size = countNumbers(output);
    if (numbers.length !== size)
      throw new ImageQXError("model-failed", output.name, `${size} numbers`, `${numbers.length}`);
    const bad = numbers.filter((number) => !Number.isFinite(number)).length;
    if (bad > 0) throw new ImageQXError("model-failed", output.name, "finite numbers", `${bad} of ${size} are not`);
  }
  return outputs;
}

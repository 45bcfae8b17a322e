/** Fraction bits of a weight: 32 less 8 of a sample and 2 to spare. */
export const WEIGHT_BITS = 22;

/** Half, of the sums that are shifted right by WEIGHT_BITS. */
export const WEIGHT_HALF = 1 << (WEIGHT_BITS - 1);

/**
 * The weights of one pass of a resize: output sample i is the sum of `values[start[i] + k]` times input sample
 * `first[i] + k`, for k below `start[i + 1] - start[i]`; in 2^-22.
 */
export interface Weights {
  readonly outputs: number;
  readonly first: Int32Array;
  readonly start: Int32Array;
  readonly values: Int32Array;
}

/**
 * Computes the weights of a triangle filter that is as wide as the scale, and at least as a sample.
 *
 * Source: Pillow 13's `precompute_coeffs` and `normalize_coeffs_8bpc` in libImaging/Resample.c, whose bytes it gives.
 *
 * @param inputs samples there are.
 * @param from where the photo begins among them.
 * @param to where it ends.
 * @param outputs samples there shall be.
 */
export function computeWeights(inputs: number, from: number, to: number, outputs: number): Weights {
  const scale = (to - from) / outputs;
  const reach = Math.max(scale, 1);
  const most = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(outputs);
  const start = new Int32Array(outputs + 1);
  const values = new Int32Array(outputs * most);
  const exact = new Float64Array(most);
  for (let output = 0; output < outputs; output++) {
    const center = from + (output + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(center - reach + 0.5));
    const count = Math.min(inputs, Math.trunc(center + reach + 0.5)) - begin;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const weight = Math.max(0, 1 - Math.abs((k + begin - center + 0.5) * (1 / reach)));
      exact[k] = weight;
      sum += weight;
    }
    const at = start[output] as number;
    first[output] = begin;
    start[output + 1] = at + count;
    for (let k = 0; k < count; k++) values[at + k] = round(exact[k] as number, sum);
  }
  return { outputs, first, start, values };
}

function round(weight: number, sum: number): number {
  return Math.trunc(0.5 + (sum !== 0 ? weight / sum : weight) * 2 ** WEIGHT_BITS);
}

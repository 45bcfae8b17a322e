/** A map of one number a place, row by row. */
export interface Heat {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

/**
 * Cuts an output [reasons, height, width] into maps, and brings them to [0, 1] by one scale, so that a weak map looks
 * weak beside a strong one.
 *
 * @param attention the output, row by row.
 * @param shape the output's shape in the spec, with the batch: [1, reasons, height, width].
 */
export function readHeat(attention: Float32Array, shape: readonly number[]): Heat[] {
  const [, reasons, height, width] = shape as [number, number, number, number];
  const top = Math.fround(
    Math.max(
      attention.reduce((a, b) => Math.max(a, b), 0),
      Math.fround(1e-9),
    ),
  );
  const size = width * height;
  return Array.from({ length: reasons }, (_, i) => ({
    width,
    height,
    values: attention.slice(i * size, (i + 1) * size).map((value) => value / top),
  }));
}

/**
 * Returns a map at another size, by bicubic interpolation; it may overshoot.
 *
 * Source: Pillow's BICUBIC of mode F (a = -0.5), along rows first.
 */
export function resizeHeat(heat: Heat, width: number, height: number): Heat {
  const columns = computeTaps(heat.width, width);
  const rows = computeTaps(heat.height, height);
  const wide = new Float32Array(width * heat.height);
  for (let y = 0; y < heat.height; y++) {
    for (let x = 0; x < width; x++) wide[y * width + x] = sum(columns[x] as Tap, heat.values, y * heat.width, 1);
  }
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) values[y * width + x] = sum(rows[y] as Tap, wide, x, width);
  }
  return { width, height, values };
}

interface Tap {
  readonly first: number;
  readonly weights: readonly number[];
}

function sum({ first, weights }: Tap, values: Float32Array, from: number, step: number): number {
  let total = 0;
  for (let k = 0; k < weights.length; k++)
    total += (values[from + (first + k) * step] as number) * (weights[k] as number);
  return total;
}

const REACH = 2;
const A = -0.5;

function computeTaps(inputs: number, outputs: number): Tap[] {
  const scale = inputs / outputs;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: outputs }, (_, output) => {
    const center = (output + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - REACH * stretch + 0.5));
    const end = Math.min(inputs, Math.trunc(center + REACH * stretch + 0.5));
    const taps = Array.from({ length: end - first }, (_, k) => cubic((k + first - center + 0.5) * (1 / stretch)));
    const total = taps.reduce((a, b) => a + b, 0);
    return { first, weights: total !== 0 ? taps.map((tap) => tap / total) : taps };
  });
}

function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * A : 0;
}

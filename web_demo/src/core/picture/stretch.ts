import type { Preprocessing } from "../model/spec.ts";
import { type Margins, type Orientation, type Picture, type Pixels, turnMargins, UPRIGHT } from "./picture.ts";
import { computeWeights, WEIGHT_BITS, WEIGHT_HALF, type Weights } from "./weights.ts";

/**
 * Stretches a photo to a model's size, byte for byte as `imageqx_export/preprocess.py` does.
 *
 * Two passes over the upright photo, along its rows first, each rounding to 8 bits. Nothing of the photo's size is
 * allocated, but the strip between the passes where EXIF turns it by a quarter.
 *
 * @param picture the decoded photo, as it is stored.
 * @param size of the model's input.
 * @param orientation what brings it upright.
 * @param margins what the photo does not cover of the stored picture's edges.
 */
export function stretch(
  picture: Picture,
  size: Preprocessing,
  orientation: Orientation = UPRIGHT,
  margins: Margins = [0, 0, 0, 0],
): Pixels {
  const [left, top, right, bottom] = turnMargins(margins, orientation);
  const [width, height] = orientation.swapsSides ? [picture.height, picture.width] : [picture.width, picture.height];
  const columns = computeWeights(width, left, width - right, size.width);
  const rows = computeWeights(height, top, height - bottom, size.height);
  const bytes = orientation.swapsSides
    ? stretchTurned(picture, orientation, columns, rows)
    : stretchUpright(picture, orientation, columns, rows);
  return { ...size, bytes };
}

/** Shrinks each stored row along itself, and adds it to the sums of the output rows that it belongs to. */
function stretchUpright(
  picture: Picture,
  { flipsColumns, flipsRows }: Orientation,
  columns: Weights,
  rows: Weights,
): Uint8Array {
  const width = columns.outputs * 3;
  const line = new Int32Array(width);
  const sums = new Int32Array(width * rows.outputs).fill(WEIGHT_HALF);
  const own = new Uint8Array(picture.width * 3);
  let oldest = 0;
  for (let y = 0; y < picture.height; y++) {
    while (oldest < rows.outputs && end(rows, oldest) <= y) oldest++;
    readUpright(picture, flipsRows ? picture.height - 1 - y : y, flipsColumns, own);
    shrinkLine(own, columns, line);
    for (let output = oldest; output < rows.outputs && at(rows.first, output) <= y; output++) {
      const weight = at(rows.values, at(rows.start, output) + y - at(rows.first, output));
      const to = output * width;
      for (let i = 0; i < width; i++) sums[to + i] = at(sums, to + i) + at(line, i) * weight;
    }
  }
  return Uint8Array.from(sums, (sum) => sum >> WEIGHT_BITS);
}

/** Stored rows are upright columns: they are added along the upright rows first, and then shrunk along themselves. */
function stretchTurned(
  picture: Picture,
  { flipsColumns, flipsRows }: Orientation,
  columns: Weights,
  rows: Weights,
): Uint8Array {
  const length = picture.width * 3;
  const own = new Uint8Array(length);
  // Per output column, what of its first pass is summed so far; complete ones become bytes.
  const strips = new Map<number, Int32Array>();
  const bytes = new Uint8Array(columns.outputs * rows.outputs * 3);
  const strip = new Uint8Array(length);
  const line = new Int32Array(rows.outputs * 3);
  let done = 0;
  for (let x = 0; x < picture.height; x++) {
    readUpright(picture, flipsColumns ? picture.height - 1 - x : x, flipsRows, own);
    for (let output = done; output < columns.outputs && at(columns.first, output) <= x; output++) {
      const sums = strips.get(output) ?? new Int32Array(length).fill(WEIGHT_HALF);
      strips.set(output, sums);
      if (x >= end(columns, output)) continue;
      const weight = at(columns.values, at(columns.start, output) + x - at(columns.first, output));
      for (let i = 0; i < length; i++) sums[i] = at(sums, i) + at(own, i) * weight;
    }
    while (done < columns.outputs && end(columns, done) <= x + 1) {
      const sums = strips.get(done) as Int32Array;
      for (let i = 0; i < length; i++) strip[i] = at(sums, i) >> WEIGHT_BITS;
      shrinkLine(strip, rows, line);
      for (let y = 0; y < rows.outputs; y++) {
        for (let c = 0; c < 3; c++) bytes[(y * columns.outputs + done) * 3 + c] = at(line, y * 3 + c);
      }
      strips.delete(done++);
    }
  }
  return bytes;
}

/** One pass along a line of RGB: the output samples, each rounded to 8 bits. */
function shrinkLine(line: Uint8Array, weights: Weights, into: Int32Array): void {
  const { first, start, values, outputs } = weights;
  for (let output = 0; output < outputs; output++) {
    const stop = at(start, output + 1);
    let from = at(first, output) * 3;
    let red = WEIGHT_HALF;
    let green = WEIGHT_HALF;
    let blue = WEIGHT_HALF;
    for (let k = at(start, output); k < stop; k++) {
      const weight = at(values, k);
      red += at(line, from) * weight;
      green += at(line, from + 1) * weight;
      blue += at(line, from + 2) * weight;
      from += 3;
    }
    into[output * 3] = red >> WEIGHT_BITS;
    into[output * 3 + 1] = green >> WEIGHT_BITS;
    into[output * 3 + 2] = blue >> WEIGHT_BITS;
  }
}

/** Reads a row as RGB, laid over white as Pillow's composite rounds it, and mirrored where asked. */
function readUpright(picture: Picture, y: number, mirrored: boolean, into: Uint8Array): void {
  const row = picture.readRow(y);
  const { width } = picture;
  for (let x = 0; x < width; x++) {
    const from = x * 4;
    const to = (mirrored ? width - 1 - x : x) * 3;
    const alpha = at(row, from + 3);
    for (let c = 0; c < 3; c++) {
      const value = at(row, from + c);
      into[to + c] = alpha === 255 ? value : divideBy255(value * alpha + 255 * (255 - alpha));
    }
  }
}

function divideBy255(value: number): number {
  const rounded = value + 128;
  return ((rounded >> 8) + rounded) >> 8;
}

function end(weights: Weights, output: number): number {
  return at(weights.first, output) + at(weights.start, output + 1) - at(weights.start, output);
}

/** An element that is there; the compiler cannot know. */
function at(values: Int32Array | Uint8Array | Uint8ClampedArray, index: number): number {
  return values[index] as number;
}

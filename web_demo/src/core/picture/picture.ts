import type { Preprocessing } from "../model/spec.ts";

/** Decoded pixels, read row by row, so that a large photo is never held twice. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Returns row y as RGBA in sRGB, not multiplied by alpha; valid until the next call. */
  readRow(y: number): Uint8ClampedArray | Uint8Array;
}

/** Returns a picture in memory: RGBA, row by row. */
export function pictureOf(width: number, height: number, rgba: Uint8ClampedArray | Uint8Array): Picture {
  if (width < 1 || height < 1 || rgba.length !== width * height * 4) {
    throw new RangeError(`expected ${width} × ${height} pixels of RGBA, got ${rgba.length} bytes`);
  }
  return { width, height, readRow: (y) => rgba.subarray(y * width * 4, (y + 1) * width * 4) };
}

/** What a model takes: uint8 [height, width, 3], sRGB, red first. */
export interface Pixels extends Preprocessing {
  readonly bytes: Uint8Array;
}

/**
 * What brings a stored picture upright: turned, then mirrored.
 *
 * `flipsColumns` tells whether upright columns run against the stored axis that they come from; `flipsRows` likewise.
 */
export interface Orientation {
  readonly swapsSides: boolean;
  readonly flipsColumns: boolean;
  readonly flipsRows: boolean;
}

const EXIF: readonly Orientation[] = [
  [false, false, false],
  [false, true, false],
  [false, true, true],
  [false, false, true],
  [true, false, false],
  [true, true, false],
  [true, true, true],
  [true, false, true],
].map(([swapsSides, flipsColumns, flipsRows]) => ({ swapsSides, flipsColumns, flipsRows }) as Orientation);

export const UPRIGHT = EXIF[0] as Orientation;

/** Returns the orientation that EXIF says, 1 to 8; what is no orientation is upright, as viewers do. */
export function orientationOf(exif: number): Orientation {
  return EXIF[exif - 1] ?? UPRIGHT;
}

/** What a photo does not cover of a decoded picture's left, upper, right and lower edge, in pixels. */
export type Margins = readonly [left: number, top: number, right: number, bottom: number];

/** Returns the margins of a picture when it is upright. */
export function turnMargins([left, top, right, bottom]: Margins, by: Orientation): Margins {
  let columns = by.swapsSides ? [top, bottom] : [left, right];
  let rows = by.swapsSides ? [left, right] : [top, bottom];
  if (by.flipsColumns) columns = columns.toReversed();
  if (by.flipsRows) rows = rows.toReversed();
  return [columns[0] as number, rows[0] as number, columns[1] as number, rows[1] as number];
}

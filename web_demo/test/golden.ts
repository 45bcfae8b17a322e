/** What Python wrote for these tests: `python -m web_demo.tools golden`. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

export const GOLDEN = process.env.IMAGEQX_WEB_GOLDEN ?? join(import.meta.dirname, "../build/golden");

export interface PixelCase {
  name: string;
  picture: string;
  width: number;
  height: number;
  expected: string;
  outWidth: number;
  outHeight: number;
  orientation: number;
  margins: [number, number, number, number];
}

export interface OverlayCase {
  width: number;
  height: number;
  reason: number;
  attention: number[];
  photo: string;
  heat: string;
  blended: string;
}

export interface LabelCase {
  spec: string;
  quality: number[];
  explanations: number[];
  label: string;
  retake: boolean;
  reasons: string[];
  given: boolean[];
  hints: string[];
}

export interface BinaryCase {
  spec: string;
  good: number[];
  ranks: number[];
  regions: number[];
  retake: boolean;
  votes: number;
  bad: boolean[];
}

export function readCases<T>(name: string): T[] {
  return JSON.parse(readFileSync(join(GOLDEN, `${name}.json`), "utf8")) as T[];
}

export function readBytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(GOLDEN, name)));
}

/** Counts the places where two arrays differ. */
export function countDifferences(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new RangeError(`${a.length} and ${b.length} numbers`);
  let count = 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) count++;
  return count;
}

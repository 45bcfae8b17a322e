import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isComplete, readWebpOrientation, sniff } from "../../src/core/photo/file.ts";

const PHOTOS = join(import.meta.dirname, "../../../imageqx_export/bundle/golden_photos");
const read = (name: string) => new Uint8Array(readFileSync(join(PHOTOS, name)));

test.each([
  "tall_336x500.jpg",
  "progressive_200x300.jpg",
  "orientation_6.jpg",
  "cmyk_200x300.jpg",
  "alpha_200x300.png",
])("%s is whole, and no beginning of it is", (name) => {
  const whole = read(name);
  expect(isComplete(whole)).toBe(true);
  for (const share of [0.99, 0.5, 0.1])
    expect(isComplete(whole.subarray(0, Math.floor(whole.length * share)))).toBe(false);
});

test("a preview's end inside EXIF is not the photo's", () => {
  const preview = [0xff, 0xd8, 0xff, 0xd9];
  const head = [0xff, 0xd8, 0xff, 0xe1, 0x00, 2 + preview.length, ...preview];
  expect(isComplete(Uint8Array.from([...head, 0xff, 0xda, 0x00, 0x02, 0x12]))).toBe(false);
  expect(isComplete(Uint8Array.from([...head, 0xff, 0xda, 0x00, 0x02, 0x12, 0xff, 0xd9, 0x33]))).toBe(true);
});

const text = (value: string) => [...value].map((character) => character.charCodeAt(0));
const box = (brand: string) => Uint8Array.from([0, 0, 0, 24, ...text("ftyp"), ...text(brand)]);

test("kinds are told by first bytes", () => {
  expect([box("heic"), box("mif1"), box("avif"), box("isom")].map(sniff)).toEqual(["heic", "heic", "avif", null]);
  expect([read("dot_1x1.png"), read("grey_200x300.jpg"), new Uint8Array()].map(sniff)).toEqual(["png", "jpeg", null]);
});

function webp(exif: number[]): Uint8Array {
  const chunk = [...text("EXIF"), exif.length, 0, 0, 0, ...exif];
  return Uint8Array.from([...text("RIFF"), 4 + chunk.length, 0, 0, 0, ...text("WEBP"), ...chunk]);
}

test("the orientation of a WebP file is read, in either byte order", () => {
  const big = [...text("MM"), 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0];
  const little = [...text("II"), 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, 8, 0, 0, 0];
  expect([webp(big), webp(little), webp([...text("Exif"), 0, 0, ...big])].map(readWebpOrientation)).toEqual([6, 8, 6]);
  for (let length = 0; length < big.length; length++) readWebpOrientation(webp(big.slice(0, length)));
  expect([webp([]), webp(text("no EXIF at all")), read("dot_1x1.png")].map(readWebpOrientation)).toEqual([1, 1, 1]);
});

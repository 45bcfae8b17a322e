import { expect, test } from "vitest";
import { orientationOf, pictureOf, turnMargins, UPRIGHT } from "../../src/core/picture/picture.ts";
import { stretch } from "../../src/core/picture/stretch.ts";
import { countDifferences, type PixelCase, readBytes, readCases } from "../golden.ts";

const cases = readCases<PixelCase>("pixels");

test.each(cases)("$name to $outWidth × $outHeight: 0 bytes differ from Pillow", (each) => {
  const picture = pictureOf(each.width, each.height, readBytes(each.picture));
  const size = { width: each.outWidth, height: each.outHeight };
  const pixels = stretch(picture, size, orientationOf(each.orientation), each.margins);
  expect(countDifferences(readBytes(each.expected), pixels.bytes)).toBe(0);
});

test("columns first is another picture", () => {
  const each = cases.find((one) => one.width === 720 && one.orientation === 1 && one.outWidth === 224) as PixelCase;
  const { width, height } = each;
  const stored = readBytes(each.picture);
  const transposed = new Uint8Array(stored.length);
  for (let i = 0; i < width * height; i++) {
    const from = (i % height) * width + Math.floor(i / height);
    transposed.set(stored.subarray(from * 4, from * 4 + 4), i * 4);
  }
  const turned = stretch(
    pictureOf(height, width, transposed),
    { width: 224, height: 224 },
    UPRIGHT,
    turnMargins(each.margins, orientationOf(5)),
  );
  const back = turned.bytes.map((_, i) => {
    const pixel = Math.floor(i / 3);
    return turned.bytes[((pixel % 224) * 224 + Math.floor(pixel / 224)) * 3 + (i % 3)] as number;
  });
  expect(countDifferences(readBytes(each.expected), back) / back.length).toBeGreaterThan(0.1);
});

test("nonsense in EXIF is upright", () => {
  expect(orientationOf(9)).toBe(UPRIGHT);
  expect(orientationOf(0)).toBe(UPRIGHT);
});

test("a picture has as many bytes as its sides say", () => {
  expect(() => pictureOf(2, 2, new Uint8Array(15))).toThrow(RangeError);
});

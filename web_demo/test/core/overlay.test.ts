import { expect, test } from "vitest";
import { type Heat, readHeat, resizeHeat } from "../../src/core/attention/heat.ts";
import { blend } from "../../src/core/attention/overlay.ts";
import { countDifferences, type OverlayCase, readBytes, readCases } from "../golden.ts";

const cases = readCases<OverlayCase>("overlays");

function heatOf(each: OverlayCase): Heat {
  const maps = readHeat(Float32Array.from(each.attention), [1, 5, 7, 7]);
  return resizeHeat(maps[each.reason] as Heat, each.width, each.height);
}

test.each(cases)("heat of $width × $height is Pillow's, to the last bit", (each) => {
  const bytes = readBytes(each.heat);
  const wanted = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  expect(countDifferences(wanted, heatOf(each).values)).toBe(0);
});

test.each(cases)("colours of $width × $height are Python's, 0 bytes differ", (each) => {
  const photo = readBytes(each.photo);
  const picture = new Uint8ClampedArray((photo.length / 3) * 4).fill(255);
  for (let i = 0; i < photo.length; i++) picture[Math.floor(i / 3) * 4 + (i % 3)] = photo[i] as number;
  blend(picture, heatOf(each));
  const got = picture.filter((_, i) => i % 4 < 3);
  expect(countDifferences(readBytes(each.blended), got)).toBe(0);
});

test("a map of another size is refused", () => {
  expect(() => blend(new Uint8ClampedArray(4), { width: 2, height: 1, values: new Float32Array(2) })).toThrow(
    RangeError,
  );
});

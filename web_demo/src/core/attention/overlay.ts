import type { Heat } from "./heat.ts";

const { fround } = Math;
const STRENGTH = fround(0.7);

/**
 * Lays a map over a picture, in place: clear where it is 0, red to yellow where it is high.
 *
 * Two straight pieces of one hue path, which also reads in grey, for people who do not see red and green apart. The same
 * colours as `imageqx predict --attention`, in float32 as there.
 *
 * @param picture RGBA, row by row, of the map's size; alpha stays.
 * @param heat values in [0, 1], of the picture's size; what is beyond is clipped.
 */
export function blend(picture: Uint8ClampedArray, heat: Heat): void {
  if (picture.length !== heat.values.length * 4) {
    throw new RangeError(`a map of the picture's size, ${picture.length / 4}, got ${heat.values.length}`);
  }
  for (let i = 0; i < heat.values.length; i++) {
    const level = Math.min(1, Math.max(0, heat.values[i] as number));
    if (level === 0) continue;
    const keep = fround(1 - fround(STRENGTH * level));
    const colour = [255, fround(255 * level ** 1.5), fround(40 * level)];
    for (let c = 0; c < 3; c++) {
      const under = fround((picture[i * 4 + c] as number) * keep);
      const over = fround(fround((colour[c] as number) * STRENGTH) * level);
      picture[i * 4 + c] = Math.trunc(fround(under + over));
    }
  }
}

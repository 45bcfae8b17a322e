import type { Preprocessing } from "../model/spec.ts";
import type { Pixels } from "../picture/picture.ts";

/**
 * The pictures of the saturation probe: black and white, in pieces of 1 to 64 pixels, each channel of its own phase.
 *
 * Relaxed SIMD lets a processor add products of 8-bit numbers in 16 bits that saturate, or in more that do not; a photo of
 * middling grey may never show it, and pixels of 0 and 255 do. Native LiteRT and ONNX Runtime agree on what must come
 * out; `python -m web_demo.tools model` writes it beside the model.
 *
 * @param size the model's.
 */
export function paintProbes(size: Preprocessing): Pixels[] {
  return [1, 4, 16, 64].map((piece) => {
    const bytes = new Uint8Array(size.width * size.height * 3);
    for (let y = 0; y < size.height; y++) {
      for (let x = 0; x < size.width; x++) {
        for (let c = 0; c < 3; c++) {
          const even = (Math.floor(x / piece) + Math.floor(y / piece) + c) % 2 === 0;
          bytes[(y * size.width + x) * 3 + c] = even ? 255 : 0;
        }
      }
    }
    return { ...size, bytes };
  });
}

import { ImageQXError } from "../core/errors.ts";
import type { Preprocessing } from "../core/model/spec.ts";
import { isComplete, readWebpOrientation, sniff } from "../core/photo/file.ts";
import { type Orientation, orientationOf, type Picture, type Pixels, UPRIGHT } from "../core/picture/picture.ts";
import { stretch } from "../core/picture/stretch.ts";

/** A photo that is decoded, and what brings it upright. */
export interface Photo {
  readonly bitmap: ImageBitmap;
  readonly orientation: Orientation;
}

/** As `PIXEL_LIMIT` of preprocess.py. */
const PIXEL_LIMIT = 200_000_000;

/** Rows that are read from a bitmap at a time. */
const STRIP = 256;

/**
 * Decodes a photo in full, upright as far as the browser turns it, in sRGB.
 *
 * @param where what errors call it.
 * @throws ImageQXError `photo-truncated`, `photo-unsupported`, `photo-unreadable` or `photo-too-large`.
 */
export async function decodePhoto(file: Blob, where: string): Promise<Photo> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (!isComplete(bytes)) throw new ImageQXError("photo-truncated", where, "a complete file", `${bytes.length} bytes`);
  const kind = sniff(bytes);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch (error) {
    const known = kind === "heic" || kind === "avif";
    throw new ImageQXError(
      known ? "photo-unsupported" : "photo-unreadable",
      where,
      "a photo",
      String((error as Error).message),
    );
  }
  const { width, height } = bitmap;
  if (width * height > PIXEL_LIMIT) {
    bitmap.close();
    throw new ImageQXError("photo-too-large", where, `at most ${PIXEL_LIMIT} pixels`, `${width} × ${height}`);
  }
  return { bitmap, orientation: kind === "webp" ? orientationOf(readWebpOrientation(bytes)) : UPRIGHT };
}

/** Returns a model's pixels of a photo. */
export function stretchPhoto({ bitmap, orientation }: Photo, size: Preprocessing): Pixels {
  return stretch(openBitmap(bitmap), size, orientation);
}

/** Returns the pixels of a picture as it is, without its alpha. */
export function readPixels({ bitmap }: Photo): Pixels {
  return stretch(openBitmap(bitmap), { width: bitmap.width, height: bitmap.height });
}

/** Reads a bitmap over white, a strip of rows at a time; drawn by the processor, as what a GPU gives back may differ. */
function openBitmap(bitmap: ImageBitmap): Picture {
  const { width, height } = bitmap;
  const context = makeContext(width, Math.min(STRIP, height));
  let strip = -1;
  let data = new Uint8ClampedArray();
  return {
    width,
    height,
    readRow(y) {
      const wanted = Math.floor(y / STRIP);
      if (wanted !== strip) {
        strip = wanted;
        context.fillRect(0, 0, width, STRIP);
        context.drawImage(bitmap, 0, -strip * STRIP);
        data = context.getImageData(0, 0, width, Math.min(STRIP, height - strip * STRIP)).data;
      }
      const from = (y - strip * STRIP) * width * 4;
      return data.subarray(from, from + width * 4);
    },
  };
}

/** Returns a canvas that is drawn by the processor, filled with white. */
export function makeContext(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  if (!context) throw new ImageQXError("photo-too-large", "canvas", "memory", `${width} × ${height}`);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  return context;
}

/** What a photo's file says of itself before a browser decodes it. */

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const SCAN = 0xda;
const END = 0xd9;
const HEIF_BRANDS = ["heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1"];

/** Returns the kind of a file by its first bytes; null where it is none that is known. */
export function sniff(bytes: Uint8Array): "jpeg" | "png" | "webp" | "heic" | "avif" | null {
  if (bytes.length > 3 && get16(bytes, 0) === 0xffd8 && bytes[2] === 0xff) return "jpeg";
  if (PNG.every((byte, i) => bytes[i] === byte)) return "png";
  if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 4) === "WEBP") return "webp";
  if (text(bytes, 4, 4) !== "ftyp") return null;
  const brand = text(bytes, 8, 4);
  if (brand === "avif" || brand === "avis") return "avif";
  return HEIF_BRANDS.includes(brand) ? "heic" : null;
}

/**
 * Tells whether a photo's file has its end.
 *
 * Browsers give the lower part of a truncated JPEG in grey, without an error, and the model would assess that. Kinds of
 * files whose end is not marked are taken to be whole.
 */
export function isComplete(bytes: Uint8Array): boolean {
  switch (sniff(bytes)) {
    case "jpeg":
      return hasJpegEnd(bytes);
    case "png":
      return hasPngEnd(bytes);
    case "webp":
      return bytes.length >= 8 + getLittle32(bytes, 4);
    default:
      return true;
  }
}

/** Walks the segments, whose embedded previews are JPEGs too; what cameras append after the end is ignored. */
function hasJpegEnd(bytes: Uint8Array): boolean {
  let at = 2;
  while (at + 1 < bytes.length && bytes[at] === 0xff) {
    const kind = bytes[at + 1] as number;
    if (kind === END) return true;
    if (kind === 0xff) at += 1;
    else if (kind === SCAN) at = skipScan(bytes, at + 2 + get16(bytes, at + 2));
    else if (kind === 0x01 || (kind >= 0xd0 && kind <= 0xd8)) at += 2;
    else at += 2 + get16(bytes, at + 2);
  }
  return false;
}

/** Returns where the coded data end: at a marker that is neither a stuffed byte nor a restart. */
function skipScan(bytes: Uint8Array, start: number): number {
  for (let at = start; at + 1 < bytes.length; at++) {
    const next = bytes[at + 1] as number;
    if (bytes[at] === 0xff && next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  return bytes.length;
}

function hasPngEnd(bytes: Uint8Array): boolean {
  for (let at = 8; at + 12 <= bytes.length; ) {
    if (text(bytes, at + 4, 4) === "IEND") return true;
    at += 12 + get16(bytes, at) * 65536 + get16(bytes, at + 2);
  }
  return false;
}

/** Returns EXIF's orientation of a WebP file, 1 to 8: Chromium applies that of the other kinds, and not this one. */
export function readWebpOrientation(bytes: Uint8Array): number {
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = getLittle32(bytes, at + 4);
    if (text(bytes, at, 4) === "EXIF") return readExifOrientation(bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size + (size % 2);
  }
  return 1;
}

function readExifOrientation(bytes: Uint8Array): number {
  const exif = text(bytes, 0, 4) === "Exif" ? bytes.subarray(6) : bytes;
  const little = text(exif, 0, 2) === "II";
  if (exif.length < 14 || (!little && text(exif, 0, 2) !== "MM")) return 1;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  const begin = view.getUint32(4, little);
  if (begin + 2 > exif.length) return 1;
  const count = view.getUint16(begin, little);
  for (let i = 0, at = begin + 2; i < count && at + 12 <= exif.length; i++, at += 12) {
    if (view.getUint16(at, little) === 0x0112) return view.getUint16(at + 8, little);
  }
  return 1;
}

function get16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function getLittle32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 2 ** 8 + (bytes[at + 2] ?? 0) * 2 ** 16 + (bytes[at + 3] ?? 0) * 2 ** 24
  );
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** What the browser gives, against what Python wrote: pixels of the golden photos, outputs of every file. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GOLDEN } from "../golden.ts";
import { launch, open, PHOTOS, readArtifact } from "./stage.ts";

let browser: Browser;
let page: Page;
beforeAll(async () => {
  browser = await launch();
  ({ page } = await open(browser, "bench.html"));
});
afterAll(() => browser.close());

interface Photo {
  photo: string;
  pixels: string;
  reduction: number;
  needs: string[];
}

const photos = (JSON.parse(readFileSync(join(PHOTOS, "photos.json"), "utf8")) as { photos: Photo[] }).photos;

/** Colour profiles are converted by other arithmetic than LittleCMS's. */
const isConverted = (photo: Photo) => photo.needs.includes("icc");

test.each(photos)("pixels of $photo", async (photo) => {
  const got = await page.evaluate(async (name) => {
    const { readModelPixels } = (globalThis as unknown as { imageqx: typeof import("../../src/bench/main.ts") })
      .imageqx;
    return [...(await readModelPixels(`artifacts/golden/photos/${name}`, 224, 224))];
  }, photo.photo);
  // Browsers decode in full, which is the contract; two golden photos are of a reduced decode.
  const wanted = readFileSync(photo.reduction > 1 ? join(GOLDEN, "full", photo.pixels) : join(PHOTOS, photo.pixels));
  expect(got.length).toBe(wanted.length);
  const most = got.reduce((far, value, i) => Math.max(far, Math.abs(value - (wanted[i] as number))), 0);
  expect(most).toBeLessThanOrEqual(isConverted(photo) ? 1 : 0);
});

type Row = Record<string, number[]>;

function readExpected(name: string): Record<string, Record<string, unknown>> {
  return JSON.parse(readArtifact(`golden/${name}`)) as Record<string, Record<string, unknown>>;
}

const FILES = [
  ["litertjs", "imageqx_fp32.tflite", "expected.json", 1e-4],
  ["litertjs", "imageqx_w8a8.tflite", "expected_w8a8.json", 1e-4],
  ["onnxruntime-web", "imageqx_fp32.onnx", "expected.json", 1e-4],
  ["onnxruntime-web", "imageqx_w8a8.onnx", "expected_w8a8.json", 1e-4],
] as const;

test.each(FILES)("%s gives PyTorch's outputs of %s", async (runtime, path, expected, most) => {
  const rows = readExpected(expected);
  const pictures = Object.keys(rows);
  const job = { mode: "outputs", runtime, folder: "artifacts/", path, pictures };
  const got = await page.evaluate(async (asked) => {
    const { measure } = (globalThis as unknown as { imageqx: typeof import("../../src/bench/main.ts") }).imageqx;
    return ((await measure(asked as never)) as { outputs: Row[] }).outputs;
  }, job);
  let worst = 0;
  for (const [i, picture] of pictures.entries()) {
    for (const [name, value] of Object.entries(rows[picture] ?? {})) {
      const wanted = [value].flat(4) as number[];
      const numbers = got[i]?.[name] as number[];
      expect(numbers.length).toBe(wanted.length);
      worst = Math.max(worst, ...numbers.map((number, k) => Math.abs(number - (wanted[k] as number))));
    }
  }
  console.log(`${runtime} ${path}: max |Δ| ${worst.toExponential(1)}`);
  expect(worst).toBeLessThanOrEqual(most);
});

/**
 * Measures one file with its runtime, and gives what it found to the server that this page came from: the far end of
 * `imageqx bench --target web:chromium`, which starts a fresh browser for each.
 *
 * The address says what: `?job=NUMBER`; the server's `job/NUMBER` is a Job, and takes a Result back.
 */

import { findArtifact, readManifest } from "../core/model/manifest.ts";
import type { Pixels } from "../core/picture/picture.ts";
import { openModel } from "../runtime/choose.ts";
import { fetchBytes, fetchText } from "../runtime/fetching.ts";
import { decodePhoto, stretchPhoto } from "../runtime/photo.ts";
import type { QualityModel } from "../runtime/qualityModel.ts";
import { findRuntime, RUNTIMES } from "../runtime/runtimes.ts";
import { readPictures, runAll } from "../runtime/selfTest.ts";

interface Job {
  mode: "time" | "outputs";
  runtime: string;
  /** Of the exported files, up to its last slash. */
  folder: string;
  path: string;
  pictures: string[];
  warmup_runs: number;
  warmup_seconds: number;
  runs: number;
  seconds: number;
}

/** Returns a photo's pixels as a model of this size takes them. */
export async function readModelPixels(address: string, width: number, height: number): Promise<Uint8Array> {
  const photo = await decodePhoto(new Blob([(await fetchBytes(address)) as BlobPart]), address);
  return stretchPhoto(photo, { width, height }).bytes;
}

const now = () => performance.now() / 1000;

export async function measure(job: Job): Promise<object> {
  const runtime = findRuntime(job.runtime);
  if (!runtime) throw new RangeError(`no runtime ${job.runtime}`);
  const manifest = readManifest(await fetchText(`${job.folder}manifest.json`), "manifest.json");
  const artifact = findArtifact(manifest, job.path);
  const began = now();
  const model = await openModel(runtime, artifact, job.folder);
  const load_seconds = now() - began;
  const versions = { [job.runtime]: RUNTIMES[runtime].title.split(" ").at(-1), browser: navigator.userAgent };
  if (job.mode === "outputs") {
    const outputs = await runAll(model, await readPictures(job.folder, job.pictures));
    const rows = outputs.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, values]) => [name, [...values]])),
    );
    return { outputs: rows, load_seconds, versions };
  }
  return { load_seconds, ...(await time(model, job)), versions };
}

async function time(model: QualityModel, job: Job): Promise<object> {
  const { width, height } = model.spec.preprocessing;
  const picture: Pixels = { width, height, bytes: new Uint8Array(width * height * 3).fill(127) };
  const run = async () => {
    const began = now();
    await model.run(picture);
    return now() - began;
  };
  const repeat = async (runs: number, seconds: number) => {
    const taken: number[] = [];
    const began = now();
    while (taken.length < runs || now() - began < seconds) taken.push(await run());
    return taken;
  };
  const first_seconds = await run();
  await repeat(job.warmup_runs, job.warmup_seconds);
  return { first_seconds, seconds: await repeat(job.runs, job.seconds) };
}

/** For tests, which ask the page itself. */
Object.assign(globalThis, { imageqx: { measure, readModelPixels } });

const number = new URLSearchParams(location.search).get("job") ?? "";
const state = document.getElementById("state") as HTMLElement;
const address = `job/${encodeURIComponent(number)}`;
if (number !== "") {
  const result = await fetchText(address)
    .then((text) => measure(JSON.parse(text) as Job))
    .catch((error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }));
  state.textContent = "done";
  await fetch(address, { method: "POST", body: JSON.stringify(result) });
}

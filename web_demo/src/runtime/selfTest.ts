import { parse, Reader } from "../core/model/json.ts";
import type { Artifact } from "../core/model/manifest.ts";
import type { Pixels } from "../core/picture/picture.ts";
import { compare, type SelfTestResult } from "../core/selftest/compare.ts";
import { paintProbes } from "../core/selftest/probe.ts";
import { readExpectedOutputs, readSelfTest } from "../core/selftest/selfTest.ts";
import { getOutput, type Outputs } from "../core/verdict/outputs.ts";
import { fetchBytes, fetchText } from "./fetching.ts";
import { decodePhoto, readPixels } from "./photo.ts";
import type { QualityModel } from "./qualityModel.ts";

/** Runs the model on pictures, one after another. */
export async function runAll(model: QualityModel, pictures: readonly Pixels[]): Promise<Outputs[]> {
  const outputs: Outputs[] = [];
  for (const picture of pictures) outputs.push(await model.run(picture));
  return outputs;
}

/** Reads golden pictures, which have the model's size already. */
export async function readPictures(folder: string, names: readonly string[]): Promise<Pixels[]> {
  return Promise.all(
    names.map(async (name) => {
      const photo = await decodePhoto(new Blob([(await fetchBytes(`${folder}golden/${name}`)) as BlobPart]), name);
      const pixels = readPixels(photo);
      photo.bitmap.close();
      return pixels;
    }),
  );
}

/**
 * Asks a model what it makes of the golden pictures, and of the saturation probe's.
 *
 * @param folder the address of the exported files.
 */
export async function runSelfTest(model: QualityModel, artifact: Artifact, folder: string): Promise<SelfTestResult> {
  const test = readSelfTest(await fetchText(`${folder}golden/self_test.json`), "self_test.json");
  const expectation = test.expectations.get(artifact.precision);
  if (!expectation) return { passed: false, why: `no expectation for ${artifact.precision}` };
  const rows = readExpectedOutputs(await fetchText(`${folder}golden/${expectation.outputs}`), expectation.outputs);
  const wanted = test.pictures.map((name) => rows.get(name) ?? {});
  const got = await runAll(model, await readPictures(folder, test.pictures));
  const golden = compare(model.spec, wanted, got, expectation.tolerance);
  return golden.passed ? probe(model, artifact, folder, golden.maxAbs) : golden;
}

async function probe(model: QualityModel, artifact: Artifact, folder: string, before: number): Promise<SelfTestResult> {
  const reader = Reader.of(parse(await fetchText(`${folder}probe.json`), "probe.json"), "probe.json");
  const rows = readExpectedOutputs(JSON.stringify(reader.object("outputs").value(artifact.path) ?? {}), "probe.json");
  const got = await runAll(model, paintProbes(model.spec.preprocessing));
  const most = reader.number("max_abs");
  for (const [index, outputs] of got.entries()) {
    for (const { name } of model.spec.outputs) {
      const wanted = getOutput(rows.get(`${index}`) ?? {}, name);
      const distance = getOutput(outputs, name).reduce(
        (far, value, i) => Math.max(far, Math.abs(value - (wanted[i] as number))),
        0,
      );
      if (!(distance <= most))
        return { passed: false, why: `saturation probe: ${name} is ${distance} off, ${most} is allowed` };
    }
  }
  return { passed: true, maxAbs: before };
}

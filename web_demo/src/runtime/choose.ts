import { ImageQXError } from "../core/errors.ts";
import { type Artifact, type Manifest, readManifest } from "../core/model/manifest.ts";
import { fetchArtifact, fetchText } from "./fetching.ts";
import type { QualityModel } from "./qualityModel.ts";
import { RUNTIMES, type RuntimeName } from "./runtimes.ts";
import { runSelfTest } from "./selfTest.ts";
import { WorkerModel } from "./workerModel.ts";

/** The faster first, as `imageqx bench --target web:chromium` measures them. */
export const FASTEST_FIRST: readonly RuntimeName[] = ["litertjs", "onnxruntime-web"];

/** The precision that the page runs: the smallest and fastest. */
const PRECISION = "w8a8";

/** After this a self-test counts as failed. */
const SELF_TEST_MS = 20_000;

/** A model that is open, and how it did in the self-test. */
export interface Chosen {
  readonly model: QualityModel;
  readonly artifact: Artifact;
  /** Why runtimes before it were passed over. */
  readonly passedOver: readonly string[];
}

/**
 * Opens the model with the first runtime that passes the self-test here.
 *
 * @param folder the address of the exported files.
 * @param names the runtimes to try, in this order.
 * @throws ImageQXError the last runtime's error, or `model-failed` where none passes.
 */
export async function chooseModel(folder: string, names: readonly RuntimeName[] = FASTEST_FIRST): Promise<Chosen> {
  const manifest = readManifest(await fetchText(`${folder}manifest.json`), "manifest.json");
  const passedOver: string[] = [];
  let last: unknown;
  for (const name of names) {
    try {
      const artifact = findFile(manifest, name);
      const model = await openTested(name, artifact, folder);
      return { model, artifact, passedOver };
    } catch (error) {
      last = error;
      passedOver.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw last instanceof Error ? last : new ImageQXError("model-failed", folder, "a runtime", "none");
}

/** Opens a file with the runtime of its kind. */
export async function openModel(name: RuntimeName, artifact: Artifact, folder: string): Promise<QualityModel> {
  return WorkerModel.open(name, await fetchArtifact(folder, artifact), artifact.spec, artifact.path);
}

async function openTested(name: RuntimeName, artifact: Artifact, folder: string): Promise<QualityModel> {
  const model = await openModel(name, artifact, folder);
  try {
    const result = await Promise.race([runSelfTest(model, artifact, folder), timeOut()]);
    if (!result.passed)
      throw new ImageQXError("model-failed", artifact.path, "PyTorch's outputs", `${model.runtime}: ${result.why}`);
    return model;
  } catch (error) {
    model.close();
    throw error;
  }
}

function findFile(manifest: Manifest, name: RuntimeName): Artifact {
  const { format } = RUNTIMES[name];
  const found = manifest.artifacts.find((each) => each.format === format && each.precision === PRECISION);
  if (!found) throw new ImageQXError("model-missing", `${format} ${PRECISION} in the manifest`);
  return found;
}

function timeOut(): Promise<{ passed: false; why: string }> {
  const why = `no answer in ${SELF_TEST_MS / 1000} s`;
  return new Promise((resolve) => setTimeout(() => resolve({ passed: false, why }), SELF_TEST_MS));
}

import { type Heat, readHeat } from "../core/attention/heat.ts";
import { ImageQXError, type Kind } from "../core/errors.ts";
import { ATTENTION } from "../core/model/spec.ts";
import { decide, type Verdict } from "../core/verdict/decide.ts";
import { getOutput } from "../core/verdict/outputs.ts";
import { type Photo, stretchPhoto } from "../runtime/photo.ts";
import type { QualityModel } from "../runtime/qualityModel.ts";
import type { Trouble } from "./state.ts";

/** What a model says of a photo, and per reason where it looks; no maps of a model that says good or poor. */
export interface Assessment {
  readonly verdict: Verdict;
  readonly maps: readonly Heat[];
}

/** Assesses a photo: pixels, model, decisions. */
export async function assess(photo: Photo, model: QualityModel): Promise<Assessment> {
  const { spec } = model;
  const outputs = await model.run(stretchPhoto(photo, spec.preprocessing));
  const attention = spec.outputs.find((output) => output.name === ATTENTION);
  const hasMaps = spec.answer.kind === "labels" && attention !== undefined;
  return {
    verdict: decide(outputs, spec),
    maps: hasMaps ? readHeat(getOutput(outputs, ATTENTION), attention.shape) : [],
  };
}

const TROUBLES: Partial<Record<Kind, Trouble>> = {
  "photo-unreadable": "photo_unreadable",
  "photo-truncated": "photo_truncated",
  "photo-too-large": "photo_too_large",
  "photo-unsupported": "photo_unsupported",
  "model-missing": "model_missing",
  "model-damaged": "model_damaged",
  "model-newer": "model_newer",
};

/** Says which sentence of the page an error is told in. */
export function describeTrouble(error: unknown): Trouble {
  return (error instanceof ImageQXError && TROUBLES[error.kind]) || "model_failed";
}

import type { ModelSpec } from "../core/model/spec.ts";
import type { Pixels } from "../core/picture/picture.ts";
import type { Outputs } from "../core/verdict/outputs.ts";

/** A model that is open: pixels in, outputs out, whatever runs it. */
export interface QualityModel {
  /** What it takes and gives: the file's own word. */
  readonly spec: ModelSpec;
  /** What runs it, such as `"LiteRT.js 2.5.3"`. */
  readonly runtime: string;
  /**
   * Runs the model once.
   *
   * @throws ImageQXError `model-failed`: it gave no answer, or not finite numbers.
   */
  run(pixels: Pixels): Promise<Outputs>;
  close(): void;
}

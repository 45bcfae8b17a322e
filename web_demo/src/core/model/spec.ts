/** What a photo becomes and what an output means; it comes with every model, and nothing of it is written in code. */
export interface ModelSpec {
  readonly name: string;
  /** The one input: uint8, [1, height, width, 3]. */
  readonly input: TensorSpec;
  /** float32, the batch of 1 first. */
  readonly outputs: readonly TensorSpec[];
  readonly preprocessing: Preprocessing;
  readonly answer: Answer;
}

/** An input or output by its name in the graph. */
export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Returns how many numbers a tensor holds. */
export function countNumbers(tensor: TensorSpec): number {
  return tensor.shape.reduce((product, side) => product * side, 1);
}

/**
 * The size that photos are stretched to, in pixels.
 *
 * What else there is to preprocessing has one known meaning each, and a spec that says otherwise is refused: sRGB, alpha
 * over white, upright by EXIF, the whole frame stretched by an antialiased triangle filter, along the rows first.
 */
export interface Preprocessing {
  readonly width: number;
  readonly height: number;
}

/** How outputs become a verdict: one of two kinds. */
export type Answer = LabelAnswer | BinaryAnswer;

/** A label, and reasons. */
export interface LabelAnswer {
  readonly kind: "labels";
  /** The columns of the output `quality`. */
  readonly labels: readonly string[];
  /** The columns of the output `explanations`, and the maps of `attention`. */
  readonly reasons: readonly Reason[];
  /** The probability of `poor_quality` from which a photo is poor; null: the likeliest label holds. */
  readonly poorThreshold: number | null;
}

/** A reason for a poor photo, the probability from which it counts, and what to tell the person, in English. */
export interface Reason {
  readonly name: string;
  readonly threshold: number;
  readonly hint: string;
}

/** Good, or poor. */
export interface BinaryAnswer {
  readonly kind: "binary";
  /** The output with the probability that a photo is good. */
  readonly output: string;
  /** The probability from which it is. */
  readonly threshold: number;
  /** What to tell the person where a photo is poor and no region stands out. */
  readonly hint: string;
  readonly ranks: Ranks | null;
  readonly regions: Regions | null;
}

/** An output [1, raters]: in column k the probability that more than k raters would call the photo good. */
export interface Ranks {
  readonly output: string;
  readonly raters: number;
  readonly goodWhenAtLeast: number;
}

/** An output [1, parts]: per region the probability that it is good; below the threshold it is bad. */
export interface Regions {
  readonly output: string;
  readonly threshold: number;
  readonly parts: readonly Region[];
}

/** A part of the frame, in shares of it from the top left corner. */
export interface Region {
  readonly name: string;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly hint: string;
}

/** The label that sends a photo back, and the outputs of a model with labels. */
export const POOR = "poor_quality";
export const QUALITY = "quality";
export const EXPLANATIONS = "explanations";
export const ATTENTION = "attention";

import { type BinaryAnswer, EXPLANATIONS, type LabelAnswer, type ModelSpec, POOR, QUALITY } from "../model/spec.ts";
import { getOutput, type Outputs } from "./outputs.ts";

/** Something to tell the person who takes the photo: a name for translations, and the spec's English. */
export interface Hint {
  readonly key: string;
  readonly text: string;
}

/** A reason or region, and whether it is given. */
export interface Finding {
  readonly name: string;
  /** Its place among the spec's reasons, and so its map's among the heat maps; or among the regions. */
  readonly index: number;
  /** That it holds, in [0, 1]. */
  readonly probability: number;
  readonly given: boolean;
  readonly hint: Hint;
}

/** What a model says of a photo. */
export interface Verdict {
  /** The label; null of a model that says good or poor. */
  readonly label: string | null;
  /** Whether the person should take the photo again. */
  readonly retake: boolean;
  /** Per label; `good` alone of a model that says good or poor. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** Reasons or regions, the worst first. */
  readonly findings: readonly Finding[];
  /** What to tell the person, the worst first; empty if the photo is good enough, and never empty otherwise. */
  readonly hints: readonly Hint[];
  /** How many raters would call it good; null where the model does not say. */
  readonly votes: number | null;
}

/**
 * Reads outputs as a verdict, as `imageqx predict` does.
 *
 * @param outputs a model's, checked.
 * @param spec its own, or that with a clinic's thresholds.
 */
export function decide(outputs: Outputs, spec: ModelSpec): Verdict {
  return spec.answer.kind === "labels"
    ? decideLabels(outputs, spec.answer)
    : decideGood(outputs, spec.answer, spec.name);
}

function decideLabels(outputs: Outputs, answer: LabelAnswer): Verdict {
  const quality = getOutput(outputs, QUALITY);
  const explanations = getOutput(outputs, EXPLANATIONS);
  const label = answer.labels[decideLabel(quality, answer)] as string;
  const findings = answer.reasons.map((reason, index): Finding => {
    const probability = explanations[index] as number;
    return {
      name: reason.name,
      index,
      probability,
      given: isGiven(probability, reason.threshold),
      hint: { key: reason.name, text: reason.hint },
    };
  });
  // How far a reason lies above its threshold, as a share of the way to 1.
  const excess = answer.reasons.map(
    ({ threshold }, i) => ((explanations[i] as number) - threshold) / Math.max(1 - threshold, 1e-6),
  );
  const worstFirst = findings.toSorted((a, b) => (excess[b.index] as number) - (excess[a.index] as number));
  const retake = label === POOR;
  const given = worstFirst.filter((finding) => finding.given);
  // A poor photo without a reason above its threshold gets the likeliest one, as "poor" alone helps nobody.
  const told = given.length > 0 ? given : worstFirst.slice(0, 1);
  return {
    label,
    retake,
    probabilities: Object.fromEntries(answer.labels.map((name, i) => [name, quality[i] as number])),
    findings: worstFirst,
    hints: retake ? told.map((finding) => finding.hint) : [],
    votes: null,
  };
}

/**
 * Returns the index of a photo's label.
 *
 * From the threshold on it is poor, and else the likeliest other label holds; without a threshold the likeliest of all
 * does. The threshold is rounded to float32, as the probabilities are.
 */
export function decideLabel(quality: Float32Array, answer: LabelAnswer): number {
  const poor = answer.labels.indexOf(POOR);
  const threshold = answer.poorThreshold;
  if (threshold === null) return findLargest(quality, -1);
  return isGiven(quality[poor] as number, threshold) ? poor : findLargest(quality, poor);
}

function findLargest(values: Float32Array, except: number): number {
  let best = -1;
  for (let i = 0; i < values.length; i++) {
    if (i !== except && (best < 0 || (values[i] as number) > (values[best] as number))) best = i;
  }
  return best;
}

/** Tells whether a probability reaches a threshold that is rounded to float32. */
export function isGiven(probability: number, threshold: number): boolean {
  return probability >= Math.fround(threshold);
}

function decideGood(outputs: Outputs, answer: BinaryAnswer, model: string): Verdict {
  const good = getOutput(outputs, answer.output)[0] as number;
  const { ranks, regions } = answer;
  const shares = regions ? getOutput(outputs, regions.output) : new Float32Array();
  const findings = (regions?.parts ?? []).map((part, index): Finding => {
    const share = shares[index] as number;
    const given = !isGiven(share, regions?.threshold ?? 0);
    return { name: part.name, index, probability: 1 - share, given, hint: { key: part.name, text: part.hint } };
  });
  const worstFirst = findings.toSorted((a, b) => (shares[a.index] as number) - (shares[b.index] as number));
  const retake = !isGiven(good, answer.threshold);
  const bad = worstFirst.filter((finding) => finding.given).map((finding) => finding.hint);
  return {
    label: null,
    retake,
    probabilities: { good },
    findings: worstFirst,
    hints: retake ? (bad.length > 0 ? bad : [{ key: model, text: answer.hint }]) : [],
    votes: ranks ? getOutput(outputs, ranks.output).filter((rank) => rank >= 0.5).length : null,
  };
}

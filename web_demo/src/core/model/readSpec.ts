import { ImageQXError } from "../errors.ts";
import { checkVersion, isFields, parse, Reader } from "./json.ts";
import {
  type Answer,
  ATTENTION,
  type BinaryAnswer,
  EXPLANATIONS,
  type LabelAnswer,
  type ModelSpec,
  POOR,
  type Preprocessing,
  QUALITY,
  type Ranks,
  type Region,
  type Regions,
  type TensorSpec,
} from "./spec.ts";

const VERSIONS = [1, 2];
const LARGEST_SIDE = 4096;

/** The values of preprocessing that are known; those of version 1, where a field is missing. */
const KNOWN: Readonly<Record<string, string>> = {
  layout: "NHWC",
  color_space: "sRGB",
  resize: "stretch",
  resample: "bilinear-antialias",
  resize_order: "horizontal-first",
  orientation: "apply-exif",
  alpha: "over-white",
  normalisation: "in-graph",
};

/**
 * Reads a ModelSpec of schema_version 1 or 2.
 *
 * @param value its JSON, as a text or read already.
 * @param where what errors call its file.
 * @throws ImageQXError `model-damaged`, `model-newer` or `model-unfit`.
 */
export function readSpec(value: unknown, where: string): ModelSpec {
  const fields = typeof value === "string" ? parse(value, where) : value;
  if (isFields(fields)) checkVersion(fields, where, VERSIONS);
  const reader = Reader.of(fields, where);
  const preprocessing = readPreprocessing(reader);
  const answer = reader.has("binary") ? readBinary(reader) : readLabels(reader);
  const outputs = reader.objects("outputs");
  checkOutputs(outputs, answer, where);
  return {
    name: reader.text("name"),
    input: readInput(reader, preprocessing),
    outputs: outputs.map(readTensor),
    preprocessing,
    answer,
  };
}

function unfit(where: string, expected: string, got: unknown): ImageQXError {
  return new ImageQXError("model-unfit", where, expected, typeof got === "string" ? got : JSON.stringify(got));
}

function readTensor(reader: Reader): TensorSpec {
  return { name: reader.text("name"), shape: reader.integers("shape") };
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

function readInput(reader: Reader, size: Preprocessing): TensorSpec {
  const inputs = reader.objects("inputs");
  const [input] = inputs;
  const wanted = [1, size.height, size.width, 3];
  if (input && inputs.length === 1 && input.text("dtype") === "uint8" && isSame(input.integers("shape"), wanted)) {
    return readTensor(input);
  }
  const got = inputs.map((each) => `${each.text("dtype")} [${each.integers("shape")}]`).join(", ");
  throw unfit(`${reader.where}: inputs`, `one, uint8 [${wanted}]`, got || "none");
}

function readPreprocessing(reader: Reader): Preprocessing {
  const fields = reader.has("preprocessing") ? reader.object("preprocessing") : new Reader({}, reader.where);
  for (const [name, known] of Object.entries(KNOWN)) {
    const got = fields.text(name, known);
    if (got !== known) throw unfit(`${fields.where}: ${name}`, known, got);
  }
  const size = { width: fields.number("width", 224), height: fields.number("height", 224) };
  const fits = Object.values(size).every((side) => Number.isInteger(side) && side >= 1 && side <= LARGEST_SIDE);
  if (!fits) throw unfit(fields.where, `sides of 1 to ${LARGEST_SIDE} pixels`, size);
  return size;
}

function hasEachOnce(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}

function readLabels(reader: Reader): LabelAnswer {
  const { where } = reader;
  const labels = reader.texts("labels");
  const reasons = reader.texts("reasons");
  if (!labels.includes(POOR) || labels.length < 2 || !hasEachOnce(labels)) {
    throw unfit(`${where}: labels`, `${POOR} and another, each once`, labels);
  }
  if (reasons.length === 0 || !hasEachOnce(reasons))
    throw unfit(`${where}: reasons`, "one or more, each once", reasons);
  const thresholds = reader.numbers("thresholds");
  const hints = reader.strings("hints");
  for (const [field, names] of [
    ["thresholds", thresholds],
    ["hints", hints],
  ] as const) {
    if (!isSame([...names.keys()].sort(), [...reasons].sort())) {
      throw unfit(`${where}: ${field}`, `one per reason, ${reasons}`, [...names.keys()]);
    }
  }
  const poor = reader.has("poor_quality_threshold") ? reader.number("poor_quality_threshold") : null;
  for (const value of [...thresholds.values(), poor ?? 0]) checkProbability(value, `${where}: thresholds`);
  return {
    kind: "labels",
    labels,
    reasons: reasons.map((name) => ({ name, threshold: thresholds.get(name) ?? 0, hint: hints.get(name) ?? "" })),
    poorThreshold: poor,
  };
}

function readBinary(reader: Reader): BinaryAnswer {
  const { where } = reader;
  if (reader.texts("labels").length > 0 || reader.texts("reasons").length > 0) {
    throw unfit(`${where}: binary`, "labels or a binary decision", "both");
  }
  const binary = reader.object("binary");
  const answer: BinaryAnswer = {
    kind: "binary",
    output: binary.text("output"),
    threshold: binary.number("threshold"),
    hint: binary.text("hint"),
    ranks: binary.has("ranks") ? readRanks(binary.object("ranks")) : null,
    regions: binary.has("regions") ? readRegions(binary.object("regions")) : null,
  };
  checkProbability(answer.threshold, `${where}: binary.threshold`);
  const read = [answer, answer.ranks, answer.regions].flatMap((part) => (part ? [part.output] : []));
  if (!hasEachOnce(read)) throw unfit(`${where}: binary`, "an output a part", read);
  return answer;
}

function readRanks(reader: Reader): Ranks {
  const ranks = {
    output: reader.text("output"),
    raters: reader.number("raters"),
    goodWhenAtLeast: reader.number("good_when_at_least"),
  };
  if (!(ranks.goodWhenAtLeast >= 1 && ranks.goodWhenAtLeast <= ranks.raters)) {
    throw unfit(reader.where, `1 to ${ranks.raters} raters`, `${ranks.goodWhenAtLeast}`);
  }
  return ranks;
}

function readRegions(reader: Reader): Regions {
  const parts = reader.objects("parts").map(readRegion);
  const names = parts.map((part) => part.name);
  if (parts.length === 0 || !hasEachOnce(names)) throw unfit(reader.where, "one or more parts, each once", names);
  const threshold = reader.number("threshold");
  checkProbability(threshold, `${reader.where}: threshold`);
  return { output: reader.text("output"), threshold, parts };
}

function readRegion(reader: Reader): Region {
  const [left, top, width, height] = ["left", "top", "width", "height"].map((side) => reader.number(side)) as [
    number,
    number,
    number,
    number,
  ];
  const inside =
    left >= 0 && top >= 0 && width > 0 && height > 0 && left + width <= 1 + 1e-9 && top + height <= 1 + 1e-9;
  if (!inside) throw unfit(reader.where, "a part of the frame", { left, top, width, height });
  return { name: reader.text("name"), left, top, width, height, hint: reader.text("hint") };
}

function checkProbability(value: number, where: string): void {
  if (!(value >= 0 && value <= 1)) throw unfit(where, "within 0 and 1", `${value}`);
}

function checkOutputs(outputs: readonly Reader[], answer: Answer, where: string): void {
  const names = outputs.map((output) => output.text("name"));
  if (!hasEachOnce(names)) throw unfit(`${where}: outputs`, "each name once", names);
  for (const [name, wanted] of Object.entries(listShapes(answer))) {
    const output = outputs[names.indexOf(name)];
    const shape = output?.integers("shape") ?? [];
    const fits =
      shape.length === wanted.length && shape.every((side, i) => (wanted[i] === 0 ? side > 0 : side === wanted[i]));
    if (!fits || output?.text("dtype") !== "float32") {
      const sides = wanted.map((side) => (side === 0 ? "any" : side));
      throw unfit(`${where}: output ${name}`, `float32 [${sides}]`, shape);
    }
  }
}

/** Returns the shape of every output that a verdict is read from; 0 is any size. */
function listShapes(answer: Answer): Record<string, number[]> {
  if (answer.kind === "labels") {
    return {
      [QUALITY]: [1, answer.labels.length],
      [EXPLANATIONS]: [1, answer.reasons.length],
      [ATTENTION]: [1, answer.reasons.length, 0, 0],
    };
  }
  const shapes: Record<string, number[]> = { [answer.output]: [1, 1] };
  if (answer.ranks) shapes[answer.ranks.output] = [1, answer.ranks.raters];
  if (answer.regions) shapes[answer.regions.output] = [1, answer.regions.parts.length];
  return shapes;
}

/**
 * Everything that the core throws on purpose: one class, and a `kind` that the page has a sentence for.
 *
 * - a model: `model-missing`, `model-damaged` (not whole, or not the exported one), `model-newer` (a newer exporter
 *   wrote it), `model-unfit` (not for photos), `model-failed` (it opened, and did not answer)
 * - a photo: `photo-unreadable`, `photo-truncated`, `photo-unsupported`, `photo-too-large`
 * - a clinic's file: `thresholds`
 */
export type Kind =
  | "model-missing"
  | "model-damaged"
  | "model-newer"
  | "model-unfit"
  | "model-failed"
  | "photo-unreadable"
  | "photo-truncated"
  | "photo-unsupported"
  | "photo-too-large"
  | "thresholds";

const WHAT: Record<Kind, string> = {
  "model-missing": "no such model",
  "model-damaged": "the model is damaged",
  "model-newer": "the file's schema_version is not known",
  "model-unfit": "a model that cannot assess photos",
  "model-failed": "the model gave no answer",
  "photo-unreadable": "the photo cannot be decoded",
  "photo-truncated": "the photo is cut off",
  "photo-unsupported": "a kind of photo that this browser does not decode",
  "photo-too-large": "the photo is too large",
  thresholds: "the thresholds do not fit",
};

/** An error with what, where, expected and got; `message` is for logs, the page shows a sentence of its own. */
export class ImageQXError extends Error {
  override readonly name = "ImageQXError";

  constructor(
    readonly kind: Kind,
    readonly where: string,
    readonly expected?: string,
    readonly got?: string,
  ) {
    const lines = [WHAT[kind], `  where: ${where}`];
    if (expected !== undefined) lines.push(`  expected: ${expected}`);
    if (got !== undefined) lines.push(`  got: ${got}`);
    super(lines.join("\n"));
  }
}

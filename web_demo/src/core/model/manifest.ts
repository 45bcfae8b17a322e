import { ImageQXError } from "../errors.ts";
import { checkVersion, isFields, parse, Reader } from "./json.ts";
import { readSpec } from "./readSpec.ts";
import type { ModelSpec } from "./spec.ts";

/** What an export wrote: `manifest.json`. */
export interface Manifest {
  readonly model: string;
  readonly artifacts: readonly Artifact[];
}

/** One exported file, as the manifest names it. */
export interface Artifact {
  /** Relative to the manifest. */
  readonly path: string;
  /** `"onnx"`, `"tflite"` or `"coreml"`. */
  readonly format: string;
  /** `"fp32"`, `"fp16"`, `"w8"` or `"w8a8"`. */
  readonly precision: string;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly spec: ModelSpec;
}

/** Reads `manifest.json`. */
export function readManifest(text: string, where: string): Manifest {
  const fields = parse(text, where);
  if (isFields(fields)) checkVersion(fields, where, [1]);
  const reader = Reader.of(fields, where);
  return { model: reader.text("model"), artifacts: reader.objects("artifacts").map(readArtifact) };
}

function readArtifact(reader: Reader): Artifact {
  const path = reader.text("path");
  return {
    path,
    format: reader.text("format"),
    precision: reader.text("precision"),
    sha256: reader.text("sha256"),
    sizeBytes: reader.number("size_bytes"),
    spec: readSpec(reader.value("spec"), `${reader.where}: ${path}`),
  };
}

/**
 * Returns the entry of a file.
 *
 * @throws ImageQXError `model-missing`: there is none of this name.
 */
export function findArtifact(manifest: Manifest, path: string): Artifact {
  const found = manifest.artifacts.find((artifact) => artifact.path === path);
  if (!found) throw new ImageQXError("model-missing", `${path} in the manifest of ${manifest.model}`);
  return found;
}

/**
 * Holds a file to its entry in the manifest.
 *
 * @param digest the file's SHA-256, hexadecimal.
 * @throws ImageQXError `model-damaged`: it is not the exported file.
 */
export function checkFile(artifact: Artifact, size: number, digest: string): void {
  if (size === artifact.sizeBytes && digest === artifact.sha256) return;
  const wanted = `${artifact.sizeBytes} bytes of SHA-256 ${artifact.sha256}`;
  throw new ImageQXError("model-damaged", artifact.path, wanted, `${size} bytes of ${digest}`);
}

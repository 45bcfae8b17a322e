import { ImageQXError } from "../core/errors.ts";
import { type Artifact, checkFile } from "../core/model/manifest.ts";

/** Fetches a file of this page's own place. */
export async function fetchBytes(address: string): Promise<Uint8Array> {
  let answer: Response;
  try {
    answer = await fetch(address);
  } catch (error) {
    throw new ImageQXError("model-missing", address, "an answer", String((error as Error).message));
  }
  if (!answer.ok) throw new ImageQXError("model-missing", address, "200", `${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

export async function fetchText(address: string): Promise<string> {
  return new TextDecoder().decode(await fetchBytes(address));
}

/**
 * Fetches an artifact, and holds it to the manifest's digest.
 *
 * @param folder the manifest's address, up to its last slash.
 */
export async function fetchArtifact(folder: string, artifact: Artifact): Promise<Uint8Array> {
  const bytes = await fetchBytes(folder + artifact.path);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource));
  const hexadecimal = [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  checkFile(artifact, bytes.length, hexadecimal);
  return bytes;
}

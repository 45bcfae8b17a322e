/** What a worker does for the page, whatever runs the model: it opens one file, and runs it. */
export interface Engine {
  /**
   * Opens a model.
   *
   * @param model the file's bytes.
   * @param folder the address of the runtime's own files.
   */
  open(model: Uint8Array, folder: string): Promise<void>;
  /**
   * Runs it once.
   *
   * @param bytes the input, row by row.
   * @param shape its sides.
   * @returns each output's numbers, by its name in the file.
   */
  run(input: string, bytes: Uint8Array, shape: readonly number[]): Promise<Record<string, Float32Array>>;
}

export type Request =
  | { id: number; kind: "open"; model: Uint8Array; folder: string }
  | { id: number; kind: "run"; input: string; bytes: Uint8Array; shape: readonly number[] };

export type Answer = { id: number; outputs?: Record<string, Float32Array>; error?: string };

/** Answers the page's requests, one after another. */
export function serve(engine: Engine): void {
  let last: Promise<unknown> = Promise.resolve();
  self.onmessage = ({ data }: MessageEvent<Request>) => {
    last = last.then(() => answer(engine, data)).then((reply) => self.postMessage(reply));
  };
}

async function answer(engine: Engine, request: Request): Promise<Answer> {
  try {
    if (request.kind === "open") {
      await engine.open(request.model, request.folder);
      return { id: request.id };
    }
    return { id: request.id, outputs: await engine.run(request.input, request.bytes, request.shape) };
  } catch (error) {
    return { id: request.id, error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

import { ImageQXError } from "../core/errors.ts";
import type { ModelSpec } from "../core/model/spec.ts";
import type { Pixels } from "../core/picture/picture.ts";
import { checkOutputs, type Outputs } from "../core/verdict/outputs.ts";
import type { QualityModel } from "./qualityModel.ts";
import { RUNTIMES, type RuntimeName } from "./runtimes.ts";
import type { Answer, Request } from "./workers/engine.ts";

type Ask = Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never;
type Waiting = { resolve: (answer: Answer) => void; reject: (error: ImageQXError) => void };

/** A model that a worker runs, so that the page answers meanwhile. */
export class WorkerModel implements QualityModel {
  private readonly waiting = new Map<number, Waiting>();
  private asked = 0;

  private constructor(
    readonly spec: ModelSpec,
    readonly runtime: string,
    private readonly worker: Worker,
    private readonly where: string,
  ) {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.fail(event.message || "the worker could not be started");
    };
  }

  /**
   * Opens a model.
   *
   * @param bytes of the file; they are handed over, and gone afterwards.
   * @param where what errors call the file.
   */
  static async open(name: RuntimeName, bytes: Uint8Array, spec: ModelSpec, where: string): Promise<WorkerModel> {
    const { title, folder, start } = RUNTIMES[name];
    const model = new WorkerModel(spec, title, start(), where);
    try {
      const address = new URL(folder, document.baseURI).href;
      await model.ask({ kind: "open", model: bytes, folder: address }, [bytes.buffer as ArrayBuffer]);
      return model;
    } catch (error) {
      model.close();
      throw error;
    }
  }

  async run({ bytes, width, height }: Pixels): Promise<Outputs> {
    const { outputs } = await this.ask({
      kind: "run",
      input: this.spec.input.name,
      bytes,
      shape: [1, height, width, 3],
    });
    return checkOutputs(outputs ?? {}, this.spec);
  }

  close(): void {
    this.worker.terminate();
    this.fail("it was closed");
  }

  private ask(ask: Ask, transfer: Transferable[] = []): Promise<Answer> {
    const id = this.asked++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ ...ask, id }, transfer);
    });
  }

  private receive(answer: Answer): void {
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if (answer.error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new ImageQXError("model-failed", this.where, "an answer", `${this.runtime}: ${answer.error}`));
  }

  private fail(why: string): void {
    for (const { reject } of this.waiting.values()) {
      reject(new ImageQXError("model-failed", this.where, "an answer", `${this.runtime}: ${why}`));
    }
    this.waiting.clear();
  }
}

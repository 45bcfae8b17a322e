/** ONNX Runtime Web in a worker: its WebAssembly alone, on one thread, without a script that it would fetch itself. */

import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { serve } from "./engine.ts";

let session: InferenceSession | undefined;

serve({
  // Where its WebAssembly lies is built in: Vite finds it beside the library.
  async open(bytes) {
    env.wasm.numThreads = 1;
    env.wasm.proxy = false;
    session = await InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  },
  async run(input, bytes, shape) {
    if (!session) throw new Error("no model is open");
    const results = await session.run({ [input]: new Tensor("uint8", bytes, [...shape]) });
    return Object.fromEntries(
      Object.entries(results).map(([name, result]) => [name, Float32Array.from(result.data as Float32Array)]),
    );
  },
});

/** LiteRT.js in a worker; a classic one, since it loads its own part by importScripts. */

import { type CompiledModel, loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { serve } from "./engine.ts";

/** Does something without warnings: LiteRT.js asks for a GPU, which is not used, and complains where there is none. */
async function hush(call: () => Promise<unknown>): Promise<void> {
  const { warn } = console;
  console.warn = () => undefined;
  try {
    await call();
  } finally {
    console.warn = warn;
  }
}

/** Says what Emscripten's standard streams say; LiteRT writes what it is doing there, as errors. */
function tell(line: string): void {
  if (!/^(INFO|WARNING|VERBOSE): /.test(line)) console.error(line);
}

let model: CompiledModel | undefined;

serve({
  // Emscripten looks for the WebAssembly beside the worker, which Vite puts elsewhere; so it is told where.
  async open(bytes, folder) {
    Object.assign(self, { Module: { locateFile: (name: string) => folder + name, print: tell, printErr: tell } });
    await hush(() => loadLiteRt(folder));
    model = await loadAndCompile(bytes, { accelerator: "wasm" });
  },
  async run(input, bytes, shape) {
    if (!model) throw new Error("no model is open");
    const tensor = Tensor.fromTypedArray(bytes as Uint8Array<ArrayBuffer>, [...shape]);
    const results = await model.run({ [input]: tensor });
    tensor.delete();
    const outputs = Object.entries(results).map(([name, result]) => {
      const numbers = Float32Array.from(result.toTypedArray()); // a view of the runtime's own memory
      result.delete();
      return [name, numbers];
    });
    return Object.fromEntries(outputs);
  },
});

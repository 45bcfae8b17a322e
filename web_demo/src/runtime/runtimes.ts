/** The runtimes that there are, by the name that an address may ask for: `?runtime=onnxruntime-web`. */
export const RUNTIMES = {
  litertjs: {
    title: `LiteRT.js ${__LITERT_VERSION__}`,
    format: "tflite",
    folder: "runtime/litert/",
    start: () => new Worker(new URL("./workers/litert.ts", import.meta.url)),
  },
  "onnxruntime-web": {
    title: `ONNX Runtime Web ${__ORT_VERSION__}`,
    format: "onnx",
    folder: "assets/",
    start: () => new Worker(new URL("./workers/onnx.ts", import.meta.url)),
  },
} as const;

export type RuntimeName = keyof typeof RUNTIMES;

/** Returns the runtime of this name, or null. */
export function findRuntime(name: string | null): RuntimeName | null {
  return name !== null && Object.hasOwn(RUNTIMES, name) ? (name as RuntimeName) : null;
}

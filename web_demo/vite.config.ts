import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { defineConfig, type Plugin } from "vite";

const here = import.meta.dirname;
const modules = join(here, "node_modules");

/** LiteRT.js's own files, which are fetched as they are: with relaxed SIMD, and for browsers without. */
const RUNTIME_FILES: Record<string, string[]> = {
  "runtime/litert": ["litert_wasm_internal", "litert_wasm_compat_internal"].flatMap((name) =>
    [".js", ".wasm"].map((ending) => join(modules, "@litertjs/core/wasm", name + ending)),
  ),
};

/** What a first visit keeps for later ones without a network: all that the default runtime needs. */
const KEPT = /^(?!bench)(?!assets\/(bench|onnx|ort)).*\.(html|js|css|json|png|svg|webmanifest|tflite|wasm)$/;
const NOT_KEPT = /compat|^sw\.js$|^runtimes\.json$/;

function copyRuntimes(): Plugin {
  return {
    name: "copy-runtimes",
    apply: "build",
    generateBundle() {
      for (const [folder, files] of Object.entries(RUNTIME_FILES)) {
        for (const file of files) {
          this.emitFile({ type: "asset", fileName: `${folder}/${basename(file)}`, source: readFileSync(file) });
        }
      }
    },
  };
}

/** Says which versions of the runtimes are in the page, for `imageqx compat`. */
function listRuntimes(): Plugin {
  const versions = { litertjs: readVersion("@litertjs/core"), "onnxruntime-web": readVersion("onnxruntime-web") };
  return {
    name: "list-runtimes",
    apply: "build",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "runtimes.json", source: JSON.stringify(versions) });
    },
  };
}

/** Fills the service worker's list of files, and names its cache by their bytes. */
function listKept(): Plugin {
  return {
    name: "list-kept",
    apply: "build",
    enforce: "post",
    generateBundle(_, bundle) {
      const hash = createHash("sha256");
      const names: string[] = [];
      const keep = (name: string, bytes: Uint8Array | string) => {
        if (!KEPT.test(name) || NOT_KEPT.test(name)) return;
        names.push(name);
        hash.update(name).update(bytes);
      };
      for (const [name, file] of Object.entries(bundle)) keep(name, file.type === "chunk" ? file.code : file.source);
      const open = join(here, "public");
      for (const name of readdirSync(open, { recursive: true, encoding: "utf8" })) {
        if (/\.\w+$/.test(name)) keep(name, readFileSync(join(open, name)));
      }
      const source = readFileSync(join(here, "src/sw.js"), "utf8")
        .replace("__KEPT__", JSON.stringify(names.sort()))
        .replace("__VERSION__", JSON.stringify(hash.digest("hex").slice(0, 16)));
      this.emitFile({ type: "asset", fileName: "sw.js", source });
    },
  };
}

function readVersion(name: string): string {
  return (JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8")) as { version: string }).version;
}

export default defineConfig({
  base: "./",
  plugins: [copyRuntimes(), listRuntimes(), listKept()],
  define: {
    __LITERT_VERSION__: JSON.stringify(readVersion("@litertjs/core")),
    __ORT_VERSION__: JSON.stringify(readVersion("onnxruntime-web")),
  },
  worker: { format: "iife" },
  build: {
    target: "es2023",
    assetsInlineLimit: 0, // no data: addresses, which the page's policy refuses
    modulePreload: { polyfill: false },
    rolldownOptions: { input: { index: join(here, "index.html"), bench: join(here, "bench.html") } },
  },
});

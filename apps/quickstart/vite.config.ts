import { defineConfig } from "vite";

// Browsers give threads, which onnxruntime-web can use, to cross-origin isolated pages only. A server of the built page
// sends the same headers, or leaves them out for one thread.
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default defineConfig({
  // Relative addresses, so that the built page also works below a sub-path or behind any static server.
  base: "./",
  resolve: { conditions: ["@heddle/source", "module", "browser", "development|production"] },
  worker: { format: "es" },
  // It looks for its .wasm file beside its script, which must therefore stay where it is.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  server: { headers },
  preview: { headers },
  build: { target: "es2022" },
});

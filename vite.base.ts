import { defineConfig } from "vite";

// Browsers give threads, which onnxruntime-web can use, to cross-origin isolated pages only. A server of the built page
// sends the same headers, or leaves them out for one thread.
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default defineConfig({
  // Relative addresses, so that the built page also works below a sub-path or behind any static server.
  base: "./",
  resolve: { conditions: ["@heddle/source", "module", "browser", "development|production"] },
  worker: { format: "es" },
  // All dependencies are plain ES modules. Bundled for development, onnxruntime-web would not find its .wasm file, and one
  // that turns up late would reload the page.
  optimizeDeps: { noDiscovery: true },
  server: { headers },
  preview: { headers },
  build: { target: "es2022" },
});

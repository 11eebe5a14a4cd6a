import { defineConfig } from "vite";

export default defineConfig({
  // Relative addresses, so that the built page also works below a sub-path or behind any static server.
  base: "./",
  resolve: { conditions: ["@heddle/source", "module", "browser", "development|production"] },
  worker: { format: "es" },
  build: { target: "es2022" },
});

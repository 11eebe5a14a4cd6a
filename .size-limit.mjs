/** What a browser downloads before it is asked for more (onnxruntime, the grammar engine): each package with everything below it, Node's parts left out, brotli-compressed. */
const browserBundle = {
  modifyEsbuildConfig: (config) => ({
    ...config,
    platform: "browser",
    format: "esm",
    external: [...(config.external ?? []), "node:*", "webgpu", "@sparticuz/chromium", "onnxruntime-web", "@mlc-ai/web-xgrammar"],
  }),
};

export default [
  // Everything that the package exports: every op for all adapter classes (attention alone has three designs) and as ONNX, the tuner and the profiler with it.
  { name: "@heddle/kernels", path: "packages/kernels/dist/index.js", limit: "106 kB", ...browserBundle },
  // All families, tasks, measures, three recommenders and their updates; an app that imports one class bundles less. A fifth of it, the reader of GGUF's header and what that brings along, is fetched with the first such file only; and 10 kB, what the
  // Hugging Face Hub needs, with the first model of it.
  { name: "@heddle/tasks", path: "packages/tasks/dist/index.js", limit: "420 kB", ...browserBundle },
];

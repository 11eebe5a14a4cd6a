/** What a browser downloads: each package with everything below it, Node's parts left out, brotli-compressed. */
const browserBundle = {
  modifyEsbuildConfig: (config) => ({
    ...config,
    platform: "browser",
    format: "esm",
    external: [...(config.external ?? []), "node:*", "webgpu", "@sparticuz/chromium", "onnxruntime-web"],
  }),
};

export default [
  // Everything that the package exports: the kernels of all adapter classes, the tuner and the profiler with it.
  { name: "@heddle/kernels", path: "packages/kernels/dist/index.js", limit: "90 kB", ...browserBundle },
  { name: "@heddle/tasks", path: "packages/tasks/dist/index.js", limit: "250 kB", ...browserBundle },
];

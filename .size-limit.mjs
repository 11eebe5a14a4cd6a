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
  { name: "@heddle/kernels", path: "packages/kernels/dist/index.js", limit: "80 kB", ...browserBundle },
  { name: "@heddle/tasks", path: "packages/tasks/dist/index.js", limit: "250 kB", ...browserBundle },
];

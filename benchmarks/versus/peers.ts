import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { WorkName } from "./implementations/table.ts";

/** A library in a work, and what it needs. */
export interface PeerSpec {
  /** In `implementations`. */
  readonly implementation: string;
  /** For people; the version follows. */
  readonly label: string;
  /** Its npm package. */
  readonly package: string;
  readonly provider: "cpu" | "webgpu";
  /** Whether it looks for `navigator.gpu`. */
  readonly navigatorGpu: boolean;
}

const onnx = { implementation: "onnx", navigatorGpu: false } as const;
const onnxNode = { ...onnx, label: "onnxruntime-node", package: "onnxruntime-node" };
const onnxWeb = { ...onnx, label: "onnxruntime-web", package: "onnxruntime-web" };
const jax: PeerSpec = { implementation: "jax", label: "jax-js", package: "@jax-js/jax", provider: "webgpu", navigatorGpu: true };
const tfjs: PeerSpec = { implementation: "tfjs", label: "tfjs", package: "@tensorflow/tfjs-backend-webgpu", provider: "webgpu", navigatorGpu: true };
/** In Node it runs on the WebGPU provider of onnxruntime-node, in a page on that of onnxruntime-web. */
const transformers: PeerSpec = { implementation: "transformers", label: "transformers.js", package: "@huggingface/transformers", provider: "webgpu", navigatorGpu: false };

export const peersInNode: Readonly<Record<WorkName, readonly PeerSpec[]>> = {
  matmul: [{ ...onnxNode, provider: "webgpu" }, jax, tfjs, { ...onnxNode, provider: "cpu" }],
  minilm: [{ ...onnxNode, provider: "webgpu" }, transformers, { ...onnxNode, provider: "cpu" }],
};

export const peersInBrowser: Readonly<Record<WorkName, readonly PeerSpec[]>> = {
  matmul: [{ ...onnxWeb, provider: "webgpu" }, jax, tfjs],
  minilm: [{ ...onnxWeb, provider: "webgpu" }, transformers],
};

/** "name version backend". */
export function peerName({ label, package: npm, provider }: PeerSpec): string {
  return `${label} ${versionOf(npm)} ${provider}`;
}

function versionOf(npm: string): string {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../node_modules", npm, "package.json"), "utf8")) as { version: string };
  return version;
}

import type { EncoderShape, Implementation, MatmulShape, Place } from "./implementation.ts";

/** Each is loaded in a process or page of its own, which first gives it a `navigator.gpu`: some look for one at once. */
export const implementations = {
  matmul: {
    heddle: () => import("./matmul-heddle.ts"),
    jax: () => import("./matmul-jax.ts"),
    onnx: () => import("./matmul-onnx.ts"),
    tfjs: () => import("./matmul-tfjs.ts"),
  },
  minilm: {
    heddle: () => import("./minilm-heddle.ts"),
    onnx: () => import("./minilm-onnx.ts"),
    transformers: () => import("./minilm-transformers.ts"),
  },
} satisfies Record<string, Record<string, () => Promise<{ open(place: Place): Promise<Implementation<MatmulShape>> | Promise<Implementation<EncoderShape>> }>>>;

export type WorkName = keyof typeof implementations;

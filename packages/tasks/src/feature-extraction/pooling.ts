import { div, HeddleError, maximum, mul, reshape, slice, sqrt, sum, cast, type Tensor } from "@heddle/kernels";
import { readJson, type ModelFolder } from "@heddle/transformer";
import type { Finish } from "../inference/text-runner.ts";

/** One vector per token, or one per text: the mean over its tokens, or its first token's. */
export type Pooling = "none" | "mean" | "cls";

export interface PoolingChoice {
  readonly pooling: Pooling;
  /** Scale to length 1. */
  readonly normalize: boolean;
}

/** `features` [batch, hidden], or [batch, length, hidden] without pooling. */
export function pooledFeatures({ pooling, normalize }: PoolingChoice): Finish {
  return ({ lastHiddenState }, { attentionMask }) => {
    const pooled = pooling === "none" ? reshape(lastHiddenState, lastHiddenState.shape) : pooling === "cls" ? firstToken(lastHiddenState) : meanOverTokens(lastHiddenState, attentionMask!);
    return { features: normalize ? unitLength(pooled) : pooled };
  };
}

function firstToken(hidden: Tensor): Tensor {
  const [batch, , size] = hidden.shape as [number, number, number];
  return reshape(slice(hidden, { axis: 1, begin: 0, end: 1 }), [batch, size]);
}

/** Padding does not count. hidden [batch, length, size], mask [batch, length] → [batch, size]. */
function meanOverTokens(hidden: Tensor, mask: Tensor): Tensor {
  const [batch, length] = hidden.shape as [number, number, number];
  const weights = reshape(cast(mask, "f32"), [batch, length, 1]);
  // sentence-transformers' guard for a text without tokens.
  const counts = maximum(sum(weights, { axes: [1] }), 1e-9);
  return div(sum(mul(hidden, weights), { axes: [1] }), counts);
}

/** torch.nn.functional.normalize: x / max(‖x‖, 1e-12). */
function unitLength(x: Tensor): Tensor {
  return div(x, maximum(sqrt(sum(mul(x, x), { axes: [-1], keepDims: true })), 1e-12));
}

/** What sentence-transformers wrote beside the model, else no pooling. Errors: CONFIG_INVALID for a pooling that is not known. */
export async function storedPooling(folder: ModelFolder): Promise<PoolingChoice> {
  const modules = await readJson(folder, "modules.json");
  if (!Array.isArray(modules)) return { pooling: "none", normalize: false };
  const parts = modules as { type?: string; path?: string }[];
  const normalize = parts.some(({ type }) => type?.endsWith(".Normalize"));
  const path = parts.find(({ type }) => type?.endsWith(".Pooling"))?.path;
  if (path === undefined) return { pooling: "none", normalize };
  const config = (await readJson(folder, `${path}/config.json`)) as Record<string, unknown> | undefined;
  if (config?.["pooling_mode_mean_tokens"] === true) return { pooling: "mean", normalize };
  if (config?.["pooling_mode_cls_token"] === true) return { pooling: "cls", normalize };
  throw new HeddleError("CONFIG_INVALID", `[${folder.label}] ${path}/config.json asks for a pooling other than mean or cls: pass { pooling: "mean" } or { pooling: "cls" } if that is what you want`);
}

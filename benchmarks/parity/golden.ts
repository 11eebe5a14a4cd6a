import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { HeddleError, type HostTensor } from "@heddle/kernels";
import { openFileSource, SafetensorsReader } from "@heddle/transformer";

/** What case.json says of a training run on the one batch. */
export interface GoldenTraining {
  readonly hyperparameters: { lr: number; betas: [number, number]; eps: number; weight_decay: number; max_grad_norm: number; steps: number };
  readonly losses: readonly number[];
  readonly grad_norms: readonly number[];
}

/** What transformers' `generate` gives for the case's inputs under some options. */
export interface GoldenGeneration {
  readonly options: { readonly max_new_tokens: number; readonly num_beams: number; readonly length_penalty?: number; readonly early_stopping?: boolean; readonly eos_token_id?: number; readonly suppress_tokens?: readonly number[] };
  readonly ids: readonly (readonly number[])[];
}

/** A golden case folder: a Hugging Face checkpoint, and what PyTorch and transformers make of it. */
export interface GoldenCase {
  readonly name: string;
  readonly folder: string;
  readonly modelClass: string;
  readonly task: string | null;
  readonly train: GoldenTraining | null;
  readonly generate: readonly GoldenGeneration[] | null;
  /** `in.*`, `out.*`, `loss`, `grad.*`, `trained.*` of golden.safetensors. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

/** Throws what reading the files throws. */
export async function readGoldenCase(folder: string): Promise<GoldenCase> {
  const path = join(folder, "case.json");
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new HeddleError("FILE_UNREADABLE", `[${path}] could not be read; pass golden case folders such as ../shared/golden/cases/bert-sequence`, { cause });
  });
  const json = JSON.parse(text) as { name?: string; model_class: string; task?: string | null; train?: GoldenTraining; generate?: GoldenGeneration[] };
  const reader = await SafetensorsReader.open(await openFileSource(join(folder, "golden.safetensors")));
  try {
    const tensors = new Map<string, HostTensor>();
    for await (const { name, shape, data } of reader.stream()) tensors.set(name, { shape, data });
    return { name: json.name ?? basename(folder), folder, modelClass: json.model_class, task: json.task ?? null, train: json.train ?? null, generate: json.generate ?? null, tensors };
  } finally {
    await reader.close();
  }
}

/** Tensors whose name starts with `prefix`, by the rest of their names, in the order of a forward pass: hidden states by number, then the heads' outputs. */
export function withPrefix(golden: GoldenCase, prefix: string): [name: string, tensor: HostTensor][] {
  const number = (name: string) => Number(/hidden_states\.(\d+)$/.exec(name)?.[1] ?? Infinity);
  return [...golden.tensors]
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, tensor]): [string, HostTensor] => [name.slice(prefix.length), tensor])
    .sort(([a], [b]) => number(a) - number(b) || (a < b ? -1 : 1));
}

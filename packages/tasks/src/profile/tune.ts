import { tuneProgram, type TuneEvent, type TuneResult } from "@heddle/kernels";
import type { ModelFolderSource } from "@heddle/transformer";
import { withForwardPass, type ForwardPassFacts, type ForwardPassOptions } from "./forward-pass.ts";

export interface TunePretrainedOptions extends ForwardPassOptions {
  /** For compiling and measuring, in all. Default: 60,000. */
  readonly budgetMs?: number;
  readonly onProgress?: (event: TuneEvent) => void;
}

/** What was measured for a forward pass. */
export interface ModelTuning extends ForwardPassFacts {
  readonly adapter: string;
  /** Empty where all was known before, or no op has a choice. */
  readonly results: readonly TuneResult[];
  /** What was not measured, and why: it keeps its default. */
  readonly skipped: readonly { readonly bucket: string; readonly reason: string }[];
}

const BUDGET_MS = 60_000;

/**
 * Measures the kernels that the forward pass of a model folder can choose among, at one size, and keeps the fastest for all
 * programs on this machine.
 *
 * Errors: as `profilePretrained`; the signal's reason, and then nothing is kept.
 */
export async function tunePretrained(source: ModelFolderSource, { budgetMs = BUDGET_MS, onProgress, ...options }: TunePretrainedOptions = {}): Promise<ModelTuning> {
  const skipped: { bucket: string; reason: string }[] = [];
  return withForwardPass(source, { ...options, tune: "cached" }, async ({ device, forward, inputs }) => {
    const types = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, { dtype: "i32" as const, shape }]));
    const results = await tuneProgram(device, forward.program(types), {
      budgetMs,
      signal: options.signal,
      onProgress(event) {
        if (event.type === "skipped") skipped.push({ bucket: event.bucket, reason: event.reason });
        onProgress?.(event);
      },
    });
    return { adapter: device.description, results, skipped };
  });
}

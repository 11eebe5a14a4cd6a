import { HeddleError } from "@heddle/kernels";
import type { Head, ModelFolderSource } from "@heddle/transformer";
import { HeldDevice } from "./device.ts";
import { loadTextModel } from "./load.ts";
import type { LoadingOptions } from "./loading.ts";
import { TextRunner } from "./text-runner.ts";

export interface LoadOptions extends LoadingOptions {
  /** Weights and their inputs in int8: about twice as fast, on the `cpu` device only. Compare its answers with f32's on your own texts. */
  readonly int8?: boolean;
}

export interface OpenedRunner {
  readonly runner: TextRunner;
  /** Disposes of the device where it was opened for the runner. */
  release(): void;
}

/**
 * A folder's model with a trained head, ready for texts.
 *
 * @param fix what to do where the folder has no such head
 * @throws those of loading; WEIGHTS_MISSING without a trained head
 */
export async function openTextRunner(source: ModelFolderSource, head: Head, { device, int8, ...options }: LoadOptions, fix = "choose a checkpoint that was trained for this task"): Promise<OpenedRunner> {
  const held = new HeldDevice(device, options.log, int8);
  try {
    const { model, tokenizer, maxLength, missing, label } = await loadTextModel(held, source, { ...options, head });
    if (missing.length > 0) {
      model.dispose();
      throw new HeddleError("WEIGHTS_MISSING", `[${label}] has no trained head for ${head} (${missing.join(", ")}): ${fix}`);
    }
    return { runner: new TextRunner(model, tokenizer, maxLength, int8), release: () => held.release() };
  } catch (error) {
    held.release();
    throw error;
  }
}

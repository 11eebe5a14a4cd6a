import { formatShape, HeddleError, type State } from "@heddle/kernels";
import { configToJson, openFileSource, parseConfig, SafetensorsReader, type ModelConfig } from "@heddle/transformer";
import { OPTIMIZER_FILE, STATE_FILE } from "./folders.ts";
import { nodeFiles } from "./node.ts";
import { parseTrainerState, type TrainerState } from "./trainer-state.ts";

/** Throws CHECKPOINT_INVALID. */
export async function readTrainerState(folder: string): Promise<TrainerState> {
  const { fs, path } = nodeFiles();
  const file = path.join(folder, STATE_FILE);
  const text = await fs.readFile(file, "utf8").catch((cause: unknown) => {
    throw new HeddleError("CHECKPOINT_INVALID", `[${file}] could not be read (${(cause as Error).message}); check that you may read it`, { cause });
  });
  return parseTrainerState(text, file);
}

/** What weights do not show, such as dropout. Throws CHECKPOINT_MISMATCH, CHECKPOINT_INVALID. */
export async function checkSameConfig(folder: string, config: ModelConfig): Promise<void> {
  const { fs, path } = nodeFiles();
  const file = path.join(folder, "config.json");
  const text = await fs.readFile(file, "utf8").catch((cause: unknown) => {
    throw new HeddleError("CHECKPOINT_INVALID", `[${file}] could not be read (${(cause as Error).message}); check that you may read it`, { cause });
  });
  // The architecture is compared by its name.
  const keysOf = (one: ModelConfig): Record<string, unknown> => ({ ...configToJson(one), architectures: undefined });
  const [saved, wanted] = [keysOf(parseConfig(text)), keysOf(config)];
  for (const name of new Set([...Object.keys(saved), ...Object.keys(wanted)])) {
    const [before, now] = [JSON.stringify(saved[name]), JSON.stringify(wanted[name])];
    if (before !== now) throw new HeddleError("CHECKPOINT_MISMATCH", `[${file}] was trained with ${name} ${before}, the model has ${now}; set it back, or start a new run in another outputDir`);
  }
}

/** The model's weights of a checkpoint, into existing states. Throws CHECKPOINT_MISMATCH, and what reading safetensors throws. */
export async function restoreParameters(folder: string, parameters: ReadonlyMap<string, State>): Promise<void> {
  await restore(nodeFiles().path.join(folder, "model.safetensors"), parameters);
}

/** Moments and running sums of a checkpoint, into existing states. */
export async function restoreOptimizer(folder: string, states: ReadonlyMap<string, State>): Promise<void> {
  await restore(nodeFiles().path.join(folder, OPTIMIZER_FILE), states);
}

async function restore(file: string, states: ReadonlyMap<string, State>): Promise<void> {
  const reader = await SafetensorsReader.open(await openFileSource(file));
  try {
    // All is checked before the first state changes.
    for (const [name, state] of states) {
      const found = reader.entries.get(name);
      if (!found || formatShape(found.shape) !== formatShape(state.type.shape)) {
        throw new HeddleError("CHECKPOINT_MISMATCH", `[${file}] has ${found ? `${name} ${formatShape(found.shape)}` : `no ${name}`}, the run wants ${name} ${formatShape(state.type.shape)}; resume with the model and options that the checkpoint was made with`);
      }
    }
    for await (const { name, data } of reader.stream({ names: states.keys() })) states.get(name)!.write(data);
  } finally {
    await reader.close();
  }
}

import { beamSearch, generate, type Model } from "@heddle/transformer";
import type { Batch } from "@heddle/training";
import type { GoldenGeneration } from "./golden.ts";

/** Ids that differ, for people; null where all are equal. */
export async function checkGeneration(model: Model, runs: readonly GoldenGeneration[], batch: Batch): Promise<string | null> {
  // make_golden.py goes on with the first row alone.
  const prompts = [Array.from(batch["inputIds"]!.data.subarray(0, batch["inputIds"]!.shape[1]))];
  for (const { options, ids } of runs) {
    const texts = await continuations(model, prompts, options);
    for (const [row, wanted] of ids.entries()) {
      const text = [...prompts[row]!, ...texts[row]!];
      const wrong = wanted.findIndex((token, i) => i < text.length && token !== text[i]);
      if (wrong >= 0 || text.length > wanted.length) return `generate with ${options.num_beams} beams gives ${text.join(" ")} in row ${row}, wanted ${wanted.join(" ")}`;
    }
  }
  return null;
}

async function continuations(model: Model, prompts: readonly (readonly number[])[], options: GoldenGeneration["options"]): Promise<number[][]> {
  const common = {
    maxNewTokens: options.max_new_tokens,
    ...(options.eos_token_id !== undefined && { eosTokenIds: [options.eos_token_id] }),
    ...(options.suppress_tokens && { suppressTokens: options.suppress_tokens }),
  };
  if (options.num_beams > 1) {
    const { length_penalty: lengthPenalty = 1, early_stopping: earlyStopping = false } = options;
    return beamSearch(model, prompts, { ...common, numBeams: options.num_beams, lengthPenalty, earlyStopping });
  }
  const texts: number[][] = prompts.map(() => []);
  for await (const { row, token } of generate(model, prompts, common)) texts[row]!.push(token);
  return texts;
}

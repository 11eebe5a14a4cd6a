import type { RunInputs } from "@heddle/kernels";
import { beamSearch, EncodedSource, generate, type Model } from "@heddle/transformer";
import type { Batch } from "@heddle/training";
import type { GoldenGeneration } from "./golden.ts";

/** Ids that differ, for people; null where all are equal. */
export async function checkGeneration(model: Model, runs: readonly GoldenGeneration[], batch: Batch): Promise<string | null> {
  const { config } = model;
  const isSeq2Seq = "decoderStartTokenId" in config;
  for (const { options, ids } of runs) {
    // Of a decoder, make_golden.py goes on with the first row alone.
    const prompts = isSeq2Seq ? ids.map(() => [config.decoderStartTokenId]) : [Array.from(batch["inputIds"]!.data.subarray(0, batch["inputIds"]!.shape[1]))];
    using source = isSeq2Seq ? await EncodedSource.encode(model, repeated(batch, options.num_beams)) : undefined;
    const texts = await continuations(model, prompts, options, source);
    for (const [row, wanted] of ids.entries()) {
      const text = [...prompts[row]!, ...texts[row]!];
      const wrong = wanted.findIndex((token, i) => i < text.length && token !== text[i]);
      if (wrong >= 0 || text.length > wanted.length) return `generate with ${options.num_beams} beams gives ${text.join(" ")} in row ${row}, wanted ${wanted.join(" ")}`;
    }
  }
  return null;
}

async function continuations(model: Model, prompts: readonly (readonly number[])[], options: GoldenGeneration["options"], source: EncodedSource | undefined): Promise<number[][]> {
  const common = {
    maxNewTokens: options.max_new_tokens,
    ...(options.eos_token_id !== undefined && { eosTokenIds: [options.eos_token_id] }),
    ...(options.suppress_tokens && { suppressTokens: options.suppress_tokens }),
  };
  if (options.num_beams > 1) {
    const { length_penalty: lengthPenalty = 1, early_stopping: earlyStopping = false } = options;
    return beamSearch(model, prompts, { ...common, numBeams: options.num_beams, lengthPenalty, earlyStopping }, source && { source });
  }
  const texts: number[][] = prompts.map(() => []);
  for await (const { row, token } of generate(model, prompts, common, source && { source })) texts[row]!.push(token);
  return texts;
}

/** What is read, each row as often as texts are kept of it. */
function repeated(batch: Batch, times: number): RunInputs {
  const names = ["inputIds", "inputFeatures", "attentionMask"].filter((name) => name in batch);
  return Object.fromEntries(
    names.map((name) => {
      const { data, shape } = batch[name]!;
      const each = data.length / shape[0]!;
      const all = Array.from({ length: shape[0]! * times }, (_, row) => Array.from(data.subarray(Math.floor(row / times) * each, (Math.floor(row / times) + 1) * each)));
      return [name, { shape: [shape[0]! * times, ...shape.slice(1)], data: data instanceof Int32Array ? Int32Array.from(all.flat()) : Float32Array.from(all.flat()) }];
    }),
  );
}

import { HeddleError } from "@heddle/kernels";
import { z } from "zod";

const logEntry = z.record(z.string(), z.number());

/** trainer_state.json: the keys of Hugging Face's file, and under `heddle` what an exact continuation needs besides. */
const schema = z.object({
  global_step: z.int().min(0),
  epoch: z.number().min(0),
  max_steps: z.int().min(1),
  best_metric: z.number().nullable(),
  best_model_checkpoint: z.string().nullable(),
  log_history: z.array(logEntry),
  heddle: z.object({
    version: z.literal(1),
    architecture: z.string(),
    dataset_fingerprint: z.string(),
    /** Where the data order stands: a function of seed and epoch, so a position is enough. */
    data_position: z.object({ seed: z.int(), epoch: z.int(), batch: z.int() }),
    /** Steps in the running mean of the loss, which is itself in optimizer.safetensors. */
    steps_since_log: z.int().min(0),
    /** The run was stopped while it evaluated this step: the evaluation comes first when it goes on. */
    evaluation_due: z.boolean(),
    /** Everything that decides the weights; another value makes another run. */
    arguments: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()])),
  }),
});

export type TrainerState = z.output<typeof schema>;
export type LogEntry = z.output<typeof logEntry>;

/** Throws CHECKPOINT_INVALID. */
export function parseTrainerState(text: string, path: string): TrainerState {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new HeddleError("CHECKPOINT_INVALID", `[${path}] is no valid JSON; resume from an earlier checkpoint`, { cause });
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
  throw new HeddleError("CHECKPOINT_INVALID", `[${path}] was not written by this trainer (${problems}); resume from a checkpoint of Heddle's, or start from its weights as a model`, { cause: result.error });
}

/** Throws CHECKPOINT_MISMATCH naming the first thing that makes `wanted` another run than the one saved. */
export function checkSameRun(saved: TrainerState, wanted: Pick<TrainerState["heddle"], "architecture" | "dataset_fingerprint" | "arguments">, path: string): void {
  const refuse = (message: string) => new HeddleError("CHECKPOINT_MISMATCH", `[${path}] ${message}`);
  const { architecture, dataset_fingerprint: fingerprint, arguments: args } = saved.heddle;
  if (architecture !== wanted.architecture) throw refuse(`is a ${architecture}, the model is a ${wanted.architecture}; load the model that the run began with`);
  if (fingerprint !== wanted.dataset_fingerprint) {
    throw refuse(`was trained on other data (fingerprint ${fingerprint}, now ${wanted.dataset_fingerprint}); pass the same rows in the same order, tokenized the same way, or start a new run in another outputDir`);
  }
  for (const name of new Set([...Object.keys(args), ...Object.keys(wanted.arguments)])) {
    const [before, now] = [args[name], wanted.arguments[name]];
    if (before !== now) throw refuse(`was trained with ${name} ${JSON.stringify(before)}, now it is ${JSON.stringify(now)}; set it back, or start a new run in another outputDir`);
  }
}

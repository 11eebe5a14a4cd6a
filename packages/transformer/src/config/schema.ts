import { HeddleError } from "@heddle/kernels";
import { z } from "zod";

/** Building blocks of the config.json schemas; keys and defaults are those of Python's transformers. */
export const size = z.int().positive();
/** Lists of layers are made from it, so a damaged number must not become a list of billions. Published models have up to 200. */
export const layerCount = z.int().positive().max(10_000);
export const probability = z.number().min(0).lt(1);

/** A key that may be absent or null, as transformers writes many of them. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

export function withDefault<T>(schema: z.ZodType<T>, value: T) {
  return schema.nullish().transform((found): T => found ?? value);
}

/** Activation functions by the name of their formula; config.json has several names for some. */
export type HiddenAct = "gelu" | "gelu_new" | "quick_gelu" | "relu" | "silu" | "tanh";

const ACTIVATION_NAMES: Readonly<Record<string, HiddenAct>> = {
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "gelu_new",
  gelu_fast: "gelu_new", // the tanh approximation, factored differently
  gelu_pytorch_tanh: "gelu_new",
  quick_gelu: "quick_gelu",
  relu: "relu",
  silu: "silu",
  swish: "silu",
  tanh: "tanh",
};

export const activation = z.string().transform((name, context): HiddenAct => {
  const known = Object.hasOwn(ACTIVATION_NAMES, name) ? ACTIVATION_NAMES[name] : undefined;
  if (known) return known;
  context.addIssue({ code: "custom", message: `unknown activation ${JSON.stringify(name)}, known are ${Object.keys(ACTIVATION_NAMES).join(", ")}` });
  return z.NEVER;
});

/** Throws CONFIG_INVALID where heads of equal size do not fill a hidden state; both with their keys in config.json. */
export function checkHeads([sizeKey, hiddenSize]: readonly [string, number], [headsKey, heads]: readonly [string, number], where = "config.json"): void {
  if (hiddenSize % heads !== 0) throw new HeddleError("CONFIG_INVALID", `[${where}] ${sizeKey} ${hiddenSize} is not divisible by ${headsKey} ${heads}: choose a multiple, e.g. ${heads * Math.ceil(hiddenSize / heads)}`);
}

/** Checks `json` against a schema; every violation is named in one `CONFIG_INVALID`. */
export function checkConfig<T extends z.ZodType>(schema: T, json: unknown): z.output<T> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "(whole file)"}: ${issue.message}`);
  throw new HeddleError("CONFIG_INVALID", `[config.json] ${problems.join("; ")}: correct these keys, or download config.json again`, { cause: result.error });
}

import { formatShape, HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { checkConfig, optional, size } from "../config/schema.ts";
import type { ModelFolder } from "./folder/open.ts";
import type { ModelWeights } from "./folder/weights.ts";
import { parseJsonFile } from "./json.ts";
import type { LoadedTensor, StreamOptions } from "./safetensors/reader.ts";

// Two layouts in which SASRec is published, as folders of this library's own: pmixer/SASRec.pytorch, and the encoder that S3-Rec
// and ICLRec share. Their config.json says little, so sizes come from the weights.

/** Where a parameter comes from: a whole tensor, or some of its rows. */
interface Origin {
  readonly name: string;
  readonly rows?: readonly [begin: number, end: number];
  /** The parameter's own shape. */
  readonly shape: readonly number[];
}

interface Layout {
  readonly config: Readonly<Record<string, unknown>>;
  readonly origins: ReadonlyMap<string, Origin>;
}

const foreignSchema = z.object({
  hidden_size: optional(size),
  max_length: optional(size),
  num_hidden_layers: optional(size),
  num_attention_heads: optional(size),
  layer_norm_eps: optional(z.number().positive()),
  hidden_act: optional(z.string()),
});
type Foreign = z.output<typeof foreignSchema>;

const PMIXER_ITEMS = "item_emb.weight";
const S3REC_ITEMS = "item_embeddings.weight";
const S3REC_LAYER = "item_encoder.layer.";

/** The folder as this library writes it; itself where it is no SASRec of another layout. Errors: CONFIG_INVALID, WEIGHTS_MISMATCH, those of `weights()`. */
export async function recommenderFolder(folder: ModelFolder): Promise<ModelFolder> {
  const config = parseJsonFile(folder.configText, `[${folder.label}] config.json`);
  if ((config as { model_type?: unknown } | null)?.model_type !== "sasrec") return folder;
  const weights = await folder.weights();
  const layout = layoutOf(weights, folder.label, () => checkConfig(foreignSchema, config));
  if (!layout) return folder;
  const renamed = new RenamedWeights(weights, layout.origins);
  return { ...folder, configText: JSON.stringify(layout.config), weights: async () => renamed, readText: (name) => folder.readText(name), close: () => folder.close(), [Symbol.asyncDispose]: () => folder.close() };
}

function layoutOf(weights: ModelWeights, label: string, read: () => Foreign): Layout | null {
  if (weights.has(PMIXER_ITEMS)) return pmixerLayout(weights, label, read());
  if (weights.has(S3REC_ITEMS) && weights.names.some((name) => name.startsWith(S3REC_LAYER))) return s3recLayout(weights, label, read());
  return null;
}

/** q of layer_norm(x), k and v of x; ReLU; padding is attended to at a position of its own. */
function pmixerLayout(weights: ModelWeights, label: string, { hidden_size, max_length, num_hidden_layers, num_attention_heads = 1, layer_norm_eps = 1e-8, hidden_act = "relu" }: Foreign): Layout {
  const [rows, hidden] = matrix(weights, label, PMIXER_ITEMS);
  const [positions] = matrix(weights, label, "pos_emb.weight");
  agree(label, "hidden_size", hidden_size, hidden);
  // Before 2024 its table had no row for padding, and padding was zeroed after each layer.
  agree(label, "max_length", max_length, positions - 1);
  const layers = num_hidden_layers ?? countLayers(weights, "attention_layers.");
  const inner = layers > 0 && weights.has("forward_layers.0.conv1.weight") ? weights.entry("forward_layers.0.conv1.weight").shape[0]! : hidden;
  const origins = new Map<string, Origin>([
    ["item_embeddings.weight", { name: PMIXER_ITEMS, shape: [rows, hidden] }],
    ["position_embeddings.weight", { name: "pos_emb.weight", shape: [positions, hidden] }],
    ...weightAndBias("norm", "last_layernorm", [hidden]),
  ]);
  for (let i = 0; i < layers; i++) {
    const add = (entries: readonly (readonly [string, Origin])[]) => entries.forEach(([name, origin]) => origins.set(`layers.${i}.${name}`, origin));
    const attention = `attention_layers.${i}`;
    ["query", "key", "value"].forEach((part, n) => {
      const own = [n * hidden, (n + 1) * hidden] as const;
      add([
        [`attention.${part}.weight`, { name: `${attention}.in_proj_weight`, rows: own, shape: [hidden, hidden] }],
        [`attention.${part}.bias`, { name: `${attention}.in_proj_bias`, rows: own, shape: [hidden] }],
      ]);
    });
    add(weightAndBias("attention.output", `${attention}.out_proj`, [hidden, hidden]));
    add(weightAndBias("attention_norm", `attention_layernorms.${i}`, [hidden]));
    add(weightAndBias("feed_forward_norm", `forward_layernorms.${i}`, [hidden]));
    // Convolutions of width 1, which are linear layers.
    add(weightAndBias("feed_forward.inner", `forward_layers.${i}.conv1`, [inner, hidden]));
    add(weightAndBias("feed_forward.outer", `forward_layers.${i}.conv2`, [hidden, inner]));
  }
  const config = {
    ...sizes({ num_items: rows - 1, vocab_size: rows, hidden_size: hidden, num_hidden_layers: layers, intermediate_size: inner, max_position_embeddings: positions - 1 }),
    num_attention_heads,
    layer_norm_eps,
    hidden_act,
    norm_placement: "query",
    scale_embeddings: true,
    embedding_norm: false,
    final_norm: true,
    attend_to_padding: true,
  };
  return { config, origins };
}

/** BERT's blocks, norms after what is added back; behind the items stands one that masked others. */
function s3recLayout(weights: ModelWeights, label: string, { hidden_size, max_length, num_hidden_layers, num_attention_heads = 2, layer_norm_eps = 1e-12, hidden_act = "gelu" }: Foreign): Layout {
  const [rows, hidden] = matrix(weights, label, S3REC_ITEMS);
  const [positions] = matrix(weights, label, "position_embeddings.weight");
  agree(label, "hidden_size", hidden_size, hidden);
  agree(label, "max_length", max_length, positions);
  const layers = num_hidden_layers ?? countLayers(weights, S3REC_LAYER);
  const [inner] = matrix(weights, label, `${S3REC_LAYER}0.intermediate.dense_1.weight`);
  const origins = new Map<string, Origin>([
    ["item_embeddings.weight", { name: S3REC_ITEMS, shape: [rows, hidden] }],
    ["position_embeddings.weight", { name: "position_embeddings.weight", shape: [positions, hidden] }],
    ...weightAndBias("embedding_norm", "LayerNorm", [hidden]),
  ]);
  for (let i = 0; i < layers; i++) {
    const [from, to] = [`${S3REC_LAYER}${i}`, `layers.${i}`];
    const parts: (readonly [string, string, readonly number[]])[] = [
      ...["query", "key", "value"].map((part) => [`attention.${part}`, `attention.${part}`, [hidden, hidden]] as const),
      ["attention.output", "attention.dense", [hidden, hidden]],
      ["attention_norm", "attention.LayerNorm", [hidden]],
      ["feed_forward.inner", "intermediate.dense_1", [inner, hidden]],
      ["feed_forward.outer", "intermediate.dense_2", [hidden, inner]],
      ["feed_forward_norm", "intermediate.LayerNorm", [hidden]],
    ];
    for (const [own, theirs, shape] of parts) for (const [name, origin] of weightAndBias(`${to}.${own}`, `${from}.${theirs}`, shape)) origins.set(name, origin);
  }
  const config = {
    ...sizes({ num_items: rows - 2, vocab_size: rows, hidden_size: hidden, num_hidden_layers: layers, intermediate_size: inner, max_position_embeddings: positions }),
    num_attention_heads,
    layer_norm_eps,
    hidden_act,
    norm_placement: "post",
    scale_embeddings: false,
    embedding_norm: true,
    final_norm: false,
    attend_to_padding: false,
  };
  return { config, origins };
}

const sizes = <T extends object>(own: T) => ({ model_type: "sasrec", architectures: ["SASRecForNextItem"], ...own });

const weightAndBias = (own: string, theirs: string, shape: readonly number[]): [string, Origin][] => [
  [`${own}.weight`, { name: `${theirs}.weight`, shape }],
  [`${own}.bias`, { name: `${theirs}.bias`, shape: shape.slice(0, 1) }],
];

function matrix(weights: ModelWeights, label: string, name: string): readonly [number, number] {
  const found = weights.has(name) ? weights.entry(name).shape : null;
  if (found?.length === 2) return found as [number, number];
  throw new HeddleError("WEIGHTS_MISMATCH", `[${label}] ${name} ${found ? `has shape ${formatShape(found)}, wanted two axes` : "is missing"}: the file is no SASRec checkpoint, or an incomplete one; export it again`);
}

function agree(label: string, key: string, said: number | undefined, found: number): void {
  if (said !== undefined && said !== found) throw new HeddleError("WEIGHTS_MISMATCH", `[${label}] ${key} is ${said} in config.json and ${found} by the weights: the files come from different models, or the checkpoint is of another version of its layout; export it again`);
}

/** Layers by the numbers in tensors' names. */
function countLayers(weights: ModelWeights, prefix: string): number {
  const numbers = weights.names.filter((name) => name.startsWith(prefix)).map((name) => Number.parseInt(name.slice(prefix.length), 10));
  return Math.max(-1, ...numbers) + 1;
}

const elements = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);

/** A checkpoint's tensors by other names, some in parts. */
class RenamedWeights implements ModelWeights {
  constructor(
    private readonly weights: ModelWeights,
    private readonly origins: ReadonlyMap<string, Origin>,
  ) {}

  get names(): readonly string[] {
    return [...this.origins.keys()].filter((name) => this.has(name));
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.weights.metadata;
  }

  has(name: string): boolean {
    const origin = this.origins.get(name);
    return origin !== undefined && this.weights.has(origin.name);
  }

  /** The parameter's own shape where the tensor is of that many elements, else the tensor's. */
  entry(name: string): { readonly shape: readonly number[] } {
    const origin = this.origins.get(name);
    if (!origin) throw new HeddleError("TENSOR_NOT_FOUND", `[recommender] has no tensor ${JSON.stringify(name)}`);
    const { shape } = this.weights.entry(origin.name);
    const parts = origin.rows ? 3 : 1;
    return { shape: elements(shape) === parts * elements(origin.shape) ? origin.shape : shape };
  }

  async *stream({ names = this.names, ...options }: StreamOptions = {}): AsyncGenerator<LoadedTensor, void, undefined> {
    const wanted = new Map<string, string[]>();
    for (const name of names) {
      const from = this.origins.get(name)!.name;
      wanted.set(from, [...(wanted.get(from) ?? []), name]);
    }
    for await (const tensor of this.weights.stream({ ...options, names: wanted.keys() })) {
      for (const name of wanted.get(tensor.name)!) {
        const { rows, shape } = this.origins.get(name)!;
        const perRow = elements(shape) / shape[0]!;
        yield { ...tensor, name, shape, data: rows ? tensor.data.slice(rows[0] * perRow, rows[1] * perRow) : tensor.data } as LoadedTensor;
      }
    }
  }

  close(): Promise<void> {
    return this.weights.close();
  }
}

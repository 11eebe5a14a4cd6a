import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { RESAMPLING_FILTERS, type ResamplingFilter } from "./resample.ts";

/** The size that an image is brought to: exactly, or so that its shorter side is this long. */
export type TargetSize = { readonly height: number; readonly width: number } | { readonly shortestEdge: number };

/** What happens to an image before a model sees it, in this order; what is undefined is left out. */
export interface ImageProcessorConfig {
  readonly size: TargetSize | undefined;
  readonly resample: ResamplingFilter;
  readonly cropSize: { readonly height: number; readonly width: number } | undefined;
  readonly rescaleFactor: number | undefined;
  /** For red, green and blue. */
  readonly imageMean: readonly [number, number, number] | undefined;
  readonly imageStd: readonly [number, number, number] | undefined;
}

const pixels = z.int().positive();
const extent = z.object({ height: pixels, width: pixels });
const channels = z.union([z.tuple([z.number(), z.number(), z.number()]), z.number().transform((value): [number, number, number] => [value, value, value])]);
const flag = z.boolean().nullish();

const schema = z.object({
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
  do_resize: flag,
  size: z.union([pixels, extent, z.object({ shortest_edge: pixels, longest_edge: z.undefined().optional() })]).nullish(),
  resample: z.union(RESAMPLING_FILTERS.map((filter) => z.literal(filter))).nullish(),
  do_center_crop: flag,
  crop_size: z.union([pixels, extent]).nullish(),
  do_rescale: flag,
  rescale_factor: z.number().positive().nullish(),
  do_normalize: flag,
  image_mean: channels.nullish(),
  image_std: channels.nullish(),
});

const HALF: [number, number, number] = [0.5, 0.5, 0.5];

/** Defaults of transformers' `CLIPImageProcessor` and `ViTImageProcessor`. */
const DEFAULTS = {
  clip: { squares: false, side: 224, resample: 3, crops: true, mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
  vit: { squares: true, side: 224, resample: 2, crops: false, mean: HALF, std: HALF },
} as const;

/**
 * What preprocessor_config.json says; keys that it leaves out are as in transformers' image processor of that name.
 *
 * @throws CONFIG_INVALID
 */
export function parseImageProcessorConfig(json: unknown): ImageProcessorConfig {
  const result = schema.safeParse(json);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "(whole file)"}: ${issue.message}`);
    throw new HeddleError("CONFIG_INVALID", `[preprocessor_config.json] ${problems.join("; ")}: correct these keys, or download the file again; sizes are a number, height and width, or shortest_edge`, { cause: result.error });
  }
  const read = result.data;
  const defaults = (read.image_processor_type ?? read.feature_extractor_type ?? "").startsWith("CLIP") ? DEFAULTS.clip : DEFAULTS.vit;
  const square = (side: number) => ({ height: side, width: side });
  const size = read.size ?? defaults.side;
  const crop = read.crop_size ?? defaults.side;
  return {
    size: read.do_resize === false ? undefined : typeof size === "number" ? (defaults.squares ? square(size) : { shortestEdge: size }) : "shortest_edge" in size ? { shortestEdge: size.shortest_edge } : size,
    resample: read.resample ?? defaults.resample,
    cropSize: (read.do_center_crop ?? defaults.crops) ? (typeof crop === "number" ? square(crop) : crop) : undefined,
    rescaleFactor: read.do_rescale === false ? undefined : (read.rescale_factor ?? 1 / 255),
    ...(read.do_normalize === false ? { imageMean: undefined, imageStd: undefined } : { imageMean: read.image_mean ?? [...defaults.mean], imageStd: read.image_std ?? [...defaults.std] }),
  };
}

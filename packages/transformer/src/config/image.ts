import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { checkHeads, size } from "./schema.ts";

/** [height, width]; config.json has one number where the two are the same. */
export type Extent = readonly [number, number];

export const extent = z.union([size.transform((side): Extent => [side, side]), z.tuple([size, size]).transform((sides): Extent => sides)]);

export const extentToJson = ([height, width]: Extent): number | Extent => (height === width ? height : [height, width]);

/** What a model of images cuts into patches. */
export interface ImageConfig {
  readonly imageSize: Extent;
  readonly patchSize: Extent;
  readonly numChannels: number;
  readonly hiddenSize: number;
  readonly numAttentionHeads: number;
}

/** How many whole patches an image has. */
export const patchesOf = ({ imageSize, patchSize }: Pick<ImageConfig, "imageSize" | "patchSize">): number => Math.floor(imageSize[0] / patchSize[0]) * Math.floor(imageSize[1] / patchSize[1]);

/** Throws CONFIG_INVALID where an image has no patch, or a head no size. */
export function checkImage(config: ImageConfig, where = "config.json"): void {
  const { imageSize, patchSize, hiddenSize, numAttentionHeads } = config;
  if (patchesOf(config) === 0) throw new HeddleError("CONFIG_INVALID", `[${where}] image_size ${imageSize.join(" by ")} is smaller than patch_size ${patchSize.join(" by ")}: make it a multiple`);
  checkHeads(["hidden_size", hiddenSize], ["num_attention_heads", numAttentionHeads], where);
}

import type { HubAccess, LoadProgress } from "@heddle/transformer";
import type { DeviceChoice } from "./device.ts";

/** What all models are loaded with. */
export interface LoadingOptions extends HubAccess {
  readonly device?: DeviceChoice;
  readonly signal?: AbortSignal;
  /** "float16": matrices in half precision, in half the memory, for what is not trained. Default "float32". */
  readonly dtype?: "float32" | "float16";
  /** Hears how far the download and the weights are. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Hears which device "auto" has chosen, and why, and that the Hub cannot be reached. Default: `console.warn`. */
  readonly log?: (line: string) => void;
}

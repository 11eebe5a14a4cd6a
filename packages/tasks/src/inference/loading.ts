import type { HubAccess, LoadDtype, LoadProgress } from "@heddle/transformer";
import type { DeviceChoice } from "./device.ts";

/** What all models are loaded with. */
export interface LoadingOptions extends HubAccess {
  readonly device?: DeviceChoice;
  readonly signal?: AbortSignal;
  /** How weights are held: see `loadModel`. */
  readonly dtype?: LoadDtype | undefined;
  /** Compare the device's results for a few tokens with the reference interpreter's, where that is quick. Default true. */
  readonly selfCheck?: boolean | undefined;
  /** Hears how far the download and the weights are. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Hears which device "auto" has chosen, and why, and that the Hub cannot be reached. Default: `console.warn`. */
  readonly log?: (line: string) => void;
}

import { profile, type ProfileReport } from "@heddle/kernels";
import type { ModelFolderSource } from "@heddle/transformer";
import { withForwardPass, type ForwardPassFacts, type ForwardPassOptions } from "./forward-pass.ts";

/** What a forward pass costs, kernel by kernel. */
export interface ModelProfile extends ForwardPassFacts {
  readonly report: ProfileReport;
}

/**
 * Profiles the forward pass of a model folder of any known family and head, on random token ids without padding. The folder
 * needs no tokenizer. It takes some seconds.
 *
 * Errors: those of `loadModel`; INVALID_ARGUMENT for a length that the model has no positions for and for a device without
 * kernels; NO_ADAPTER.
 */
export async function profilePretrained(source: ModelFolderSource, options: ForwardPassOptions = {}): Promise<ModelProfile> {
  return withForwardPass(source, options, async ({ forward, inputs }) => ({ report: await profile(forward, inputs, { signal: options.signal }) }));
}

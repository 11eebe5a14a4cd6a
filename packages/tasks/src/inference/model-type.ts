import { openModelFolder, type HubOptions, type ModelFolderSource } from "@heddle/transformer";

/**
 * The family that a model's config.json names, such as "bert" or "sasrec"; undefined where it names none. Opens no weights.
 * Errors: those of `openModelFolder`.
 */
export async function readModelType(source: ModelFolderSource, options: HubOptions = {}): Promise<string | undefined> {
  await using folder = await openModelFolder(source, options);
  // A configuration that is no JSON is explained by whoever loads the model.
  return /"model_type"\s*:\s*"([^"]+)"/.exec(folder.configText)?.[1];
}

import { HeddleError } from "@heddle/kernels";
import { CONFIG_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE } from "./names.ts";
import { openGguf } from "../gguf/folder.ts";
import { folderFiles, ggufFile, type ModelFolderSource } from "./source.ts";
import { openWeights, type ModelWeights } from "./weights.ts";

/** An opened Hugging Face model folder. Close it when the weights are loaded. */
export interface ModelFolder extends AsyncDisposable {
  /** For messages: the path, the address, or "the N given files". */
  readonly label: string;
  readonly configText: string;
  /** tokenizer.json; undefined where the folder has none. */
  readonly tokenizerText: string | undefined;
  readonly tokenizerConfigText: string | undefined;
  /** Opens the safetensors files on the first call; the same object afterwards. */
  weights(): Promise<ModelWeights>;
  /** Any other text file of the folder; undefined where it is absent. */
  readText(name: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/**
 * Opens a model folder from a path (Node), an address, picked files or blobs; or a model in one GGUF file, by its path, its address,
 * or alone among the files.
 *
 * Errors: `MODEL_FOLDER_NOT_FOUND`, `GGUF_INVALID`, `CONFIG_MISSING`, `FILE_UNREADABLE`, `DOWNLOAD_FAILED`; `weights()` adds
 * `WEIGHTS_MISSING`, `WEIGHTS_INDEX_INVALID` and all `SAFETENSORS_…`.
 */
export async function openModelFolder(source: ModelFolderSource): Promise<ModelFolder> {
  const single = await ggufFile(source);
  if (single) return openGguf(single);
  const files = await folderFiles(source);
  const [configText, tokenizerText, tokenizerConfigText] = await Promise.all([
    files.readText(CONFIG_FILE),
    files.readText(TOKENIZER_FILE),
    files.readText(TOKENIZER_CONFIG_FILE),
  ]);
  if (configText === undefined) {
    throw new HeddleError("CONFIG_MISSING", `[${files.label}] has no ${CONFIG_FILE}: point to a Hugging Face model folder (config.json, model.safetensors, tokenizer.json), or download the missing file into it`);
  }
  let opened: Promise<ModelWeights> | undefined;
  const close = async (): Promise<void> => {
    // Weights that failed to open have closed their files themselves.
    const weights = await opened?.catch(() => undefined);
    await weights?.close();
  };
  return {
    label: files.label,
    configText,
    tokenizerText,
    tokenizerConfigText,
    weights: () => (opened ??= openWeights(files)),
    readText: (name) => files.readText(name),
    close,
    [Symbol.asyncDispose]: close,
  };
}

import { HeddleError } from "@heddle/kernels";
import { CONFIG_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE } from "./names.ts";
import { openGguf } from "../gguf/folder.ts";
import { folderFiles, ggufFile, hubId, type FolderFiles, type ModelFolderSource } from "./source.ts";
import type { HubOptions } from "../hub/options.ts";
import type { ByteSource } from "../source/byte-source.ts";
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
 * Opens a model folder from a path (Node), an address, picked files, blobs or the Hugging Face Hub; or a model in one GGUF file, by its path,
 * its address, its id, or alone among the files. From the Hub come the files that are asked for, once; weights when their first tensor is
 * streamed, while `weights()` brings their headers alone.
 *
 * Errors: `MODEL_FOLDER_NOT_FOUND`, `GGUF_INVALID`, `CONFIG_MISSING`, `FILE_UNREADABLE`, `DOWNLOAD_FAILED`; `weights()` adds
 * `WEIGHTS_MISSING`, `WEIGHTS_INDEX_INVALID` and all `SAFETENSORS_…`. The Hub adds `HUB_ACCESS_DENIED`, `HUB_NOT_FOUND`, `NOT_CACHED`,
 * `DOWNLOAD_CORRUPT`, `DISK_FULL`, `FOLDER_NOT_WRITABLE` and `ABORTED`.
 */
export async function openModelFolder(source: ModelFolderSource, options: HubOptions = {}): Promise<ModelFolder> {
  const found = await find(source, options);
  if ("sizeBytes" in found) return openGguf(found);
  const files = found;
  // First, as a configuration that no family reads ends it all.
  const configText = await files.readText(CONFIG_FILE);
  const [tokenizerText, tokenizerConfigText] = await Promise.all([files.readText(TOKENIZER_FILE), files.readText(TOKENIZER_CONFIG_FILE)]);
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

/** A folder's files, or the bytes of a GGUF file. */
async function find(source: ModelFolderSource, options: HubOptions): Promise<FolderFiles | ByteSource> {
  const id = await hubId(source);
  if (!id) return (await ggufFile(source)) ?? folderFiles(source);
  const { hubFiles, hubGguf } = await import("../hub/files.ts");
  const { repository, file } = id;
  return file === undefined ? hubFiles(repository, options) : hubGguf(repository, file, options);
}

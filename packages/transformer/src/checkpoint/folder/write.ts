import { HeddleError } from "@heddle/kernels";
import { removeTemporaryFiles, stageFile, syncFolder, writeError, type StagedFile, type WritableFileSystem } from "../source/atomic-file.ts";
import { nodeModules } from "../source/node.ts";
import { streamInto, type TensorToWrite } from "../safetensors/writer.ts";
import { lockFolder, type FolderLock } from "./lock.ts";
import { CONFIG_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE } from "./names.ts";

export interface ModelFolderContents {
  /** config.json, as text or as the object to write. */
  readonly config: string | object;
  readonly tensors: Iterable<TensorToWrite>;
  readonly tokenizer?: string | object;
  readonly tokenizerConfig?: string | object;
  /** More files by plain name, e.g. README.md or a trainer's state. */
  readonly files?: Readonly<Record<string, string | object | Uint8Array>>;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface WriteModelFolderOptions {
  /** A lock that the caller already holds on this folder and keeps; without it the folder is locked for the write. */
  readonly lock?: FolderLock;
  readonly signal?: AbortSignal;
  /** Default Node's. */
  readonly fileSystem?: WritableFileSystem;
}

/**
 * Writes a Hugging Face model folder. All files are first written and flushed under temporary names; only when the
 * last one is safe on the disk are they renamed, weights first and config.json last. A full disk, an abort or a crash
 * before that leaves the earlier folder as it was. Node only.
 */
export async function writeModelFolder(folder: string, contents: ModelFolderContents, options: WriteModelFolderOptions = {}): Promise<void> {
  const { path, fs: nodeFs } = nodeModules("writeModelFolder");
  const fileSystem = options.fileSystem ?? nodeFs;
  const texts = textFiles(contents);
  const lock = options.lock ?? (await lockFolder(folder));
  const staged: StagedFile[] = [];
  try {
    await removeTemporaryFiles(lock.folder, fileSystem).catch((cause: unknown) => {
      throw writeError(lock.folder, cause);
    });
    const weights = await stageFile(path.join(lock.folder, WEIGHTS_FILE), fileSystem);
    staged.push(weights);
    await streamInto(weights, contents.tensors, { metadata: contents.metadata, signal: options.signal });
    for (const [name, bytes] of texts) {
      const file = await stageFile(path.join(lock.folder, name), fileSystem);
      staged.push(file);
      await file.write(bytes);
      await file.seal();
    }
    for (const file of staged) await file.publish();
    await syncFolder(lock.folder, fileSystem);
  } finally {
    for (const file of staged) await file.discard();
    if (!options.lock) await lock.release();
  }
}

/** In the order in which they are renamed. */
function textFiles(contents: ModelFolderContents): [name: string, bytes: Uint8Array][] {
  const files: [string, string | object | undefined][] = [
    ...Object.entries(contents.files ?? {}),
    [TOKENIZER_FILE, contents.tokenizer],
    [TOKENIZER_CONFIG_FILE, contents.tokenizerConfig],
    [CONFIG_FILE, contents.config],
  ];
  return files.flatMap(([name, content]) => {
    if (!/^[\w.-]+$/.test(name) || name === "." || name === ".." || name === WEIGHTS_FILE) {
      throw new HeddleError("FILE_NAME_INVALID", `[writeModelFolder] ${JSON.stringify(name)} is no plain file name: use letters, digits, dots, dashes and underscores, and pass weights as tensors`);
    }
    return content === undefined ? [] : [[name, encode(content)]];
  });
}

function encode(content: string | object): Uint8Array {
  if (content instanceof Uint8Array) return content;
  return new TextEncoder().encode(typeof content === "string" ? content : `${JSON.stringify(content, null, 2)}\n`);
}

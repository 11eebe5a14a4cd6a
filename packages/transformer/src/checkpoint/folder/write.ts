import { HeddleError } from "@heddle/kernels";
import { streamInto, type TensorToWrite } from "../safetensors/writer.ts";
import { CONFIG_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE } from "./names.ts";
import { writeTogether, type FileToWrite, type WriteModelFolderOptions } from "./write-together.ts";

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

/** Writes a Hugging Face model folder, all of it or nothing: weights first, config.json last. Node only. */
export async function writeModelFolder(folder: string, contents: ModelFolderContents, options: WriteModelFolderOptions = {}): Promise<void> {
  const { tensors, metadata, ...texts } = contents;
  const weights: FileToWrite = { name: WEIGHTS_FILE, write: (file) => streamInto(file, tensors, { metadata, signal: options.signal }) };
  await writeTogether(folder, [weights, ...textFiles(texts)], options);
}

/** Everything beside the weights, in the order in which it is renamed. */
export function textFiles(contents: Omit<ModelFolderContents, "tensors" | "metadata">): FileToWrite[] {
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
    if (content === undefined) return [];
    const write: FileToWrite["write"] = async (file) => {
      await file.write(encode(content));
      await file.seal();
    };
    return [{ name, write }];
  });
}

function encode(content: string | object): Uint8Array {
  if (content instanceof Uint8Array) return content;
  return new TextEncoder().encode(typeof content === "string" ? content : `${JSON.stringify(content, null, 2)}\n`);
}

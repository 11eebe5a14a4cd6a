/** A model of the Hugging Face Hub. */
export interface HubId {
  /** `org/name`. */
  readonly repository: string;
  /** The one GGUF file that is meant, by its path in the repository. */
  readonly file: string | undefined;
}

/** Letters, digits, `-`, `_` and `.`, at most 96 of them, as the Hub allows (huggingface_hub, `validate_repo_id`). */
const NAME = /^(?!.*(?:--|\.\.))\w[\w.-]{0,94}(?<![.-])$/;

/**
 * `org/name`, or `org/name/path/to/file.gguf`; undefined for whatever cannot be one, such as `./folder`, `/folder`, `folder` and addresses.
 * What could be an id and a folder too is for the caller to tell.
 */
export function parseHubId(text: string): HubId | undefined {
  const [owner = "", name = "", ...path] = text.split("/");
  if (!NAME.test(owner) || !NAME.test(name) || isGguf(name)) return undefined;
  const repository = `${owner}/${name}`;
  if (path.length === 0) return { repository, file: undefined };
  return path.every((part) => NAME.test(part)) && isGguf(path.at(-1)!) ? { repository, file: path.join("/") } : undefined;
}

const isGguf = (name: string) => name.toLowerCase().endsWith(".gguf");

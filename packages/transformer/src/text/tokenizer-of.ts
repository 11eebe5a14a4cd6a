import { HeddleError } from "@heddle/kernels";
import type { ModelFolder } from "../checkpoint/index.ts";
import { loadTokenizer, type Tokenizer } from "./tokenizer.ts";

/** A model folder's tokenizer. Errors: TOKENIZER_MISSING, TOKENIZER_INVALID. */
export function tokenizerOf({ label, tokenizerText, tokenizerConfigText }: Pick<ModelFolder, "label" | "tokenizerText" | "tokenizerConfigText">): Tokenizer {
  if (tokenizerText === undefined) {
    throw new HeddleError("TOKENIZER_MISSING", `[${label}] has no tokenizer.json: save it in Python with AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER), or download it into the folder`);
  }
  return loadTokenizer(tokenizerText, tokenizerConfigText);
}

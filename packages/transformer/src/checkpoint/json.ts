import { HeddleError } from "@heddle/kernels";

/** Files of models are a few levels deep; some tokenizers a dozen. */
const MOST_LEVELS = 64;

/**
 * JSON.parse, but that brackets in brackets beyond any use are refused before anything is made of them: each costs tens of bytes
 * of memory for two of the file, and recursion over them ends the stack.
 *
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  let levels = 0;
  let isString = false;
  for (let i = 0; i < text.length; i++) {
    const sign = text.charCodeAt(i);
    if (sign === 0x22) isString = !isString;
    else if (isString) {
      if (sign === 0x5c) i++;
    } else if (sign === 0x5b || sign === 0x7b) {
      if (++levels > MOST_LEVELS) throw new SyntaxError(`more than ${MOST_LEVELS} levels of brackets`);
    } else if (sign === 0x5d || sign === 0x7d) levels--;
  }
  return JSON.parse(text) as unknown;
}

/** @param file for the error, such as `[config.json]`. Throws CONFIG_INVALID. */
export function parseJsonFile(text: string, file: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new HeddleError("CONFIG_INVALID", `${file} is no valid JSON: download it again`, { cause });
  }
}

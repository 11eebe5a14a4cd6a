// Alone in a module, so that a page fetches these two of the library's hashes and no others.
export { sha1 } from "@noble/hashes/legacy.js";
export { sha256 } from "@noble/hashes/sha2.js";

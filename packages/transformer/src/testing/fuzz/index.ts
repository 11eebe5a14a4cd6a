export { FUZZ_READERS, type FuzzReaderName } from "./readers.ts";
export { fuzz, type FuzzOptions, type FuzzReport } from "./run.ts";

export { FUZZ_READERS, type FuzzReaderName } from "./fuzz/readers.ts";
export { fuzz, type FuzzOptions, type FuzzReport } from "./fuzz/run.ts";
export { FakeHub } from "./hub.ts";

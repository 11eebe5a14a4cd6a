export { beamSearch } from "./beam-search.ts";
export { endingTokens, generate, openSession, tokenLimit, type FinishReason, type GeneratedToken, type GenerationContext } from "./generate.ts";
export type { BeamOptions, GenerationOptions } from "./options.ts";
export * from "./grammar/index.ts";
export { storedGenerationOptions, type StoredGenerationOptions } from "./stored-options.ts";
export { DecodingSession, type Pick } from "./session.ts";
export { EncodedSource } from "./source.ts";

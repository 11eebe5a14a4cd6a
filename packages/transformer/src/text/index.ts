export { applyChatTemplate, hasChatTemplate, type ChatMessage, type ChatTemplateOptions } from "./chat-template.ts";
export { tokenizerOf } from "./tokenizer-of.ts";
export { StreamDecoder } from "./stream-decoder.ts";
export { loadTokenizer, Tokenizer, type DecodeOptions, type EncodeBatchOptions, type EncodedBatch, type EncodeOptions, type Encoding, type FramedTokens, type TextToken } from "./tokenizer.ts";
export type { SpecialTokenRole, SpecialTokens } from "./special-tokens.ts";
export { trainWordPiece, type WordPieceTrainingOptions } from "./train/wordpiece.ts";
export { trainByteLevelBpe, type ByteLevelBpeTrainingOptions } from "./train/byte-level-bpe.ts";
export type { TokenizerTrainingOptions, TokenizerTrainingProgress } from "./train/options.ts";

/** The names that Hugging Face libraries give to a model folder's files. */
export const CONFIG_FILE = "config.json";
export const TOKENIZER_FILE = "tokenizer.json";
export const TOKENIZER_CONFIG_FILE = "tokenizer_config.json";
export const WEIGHTS_FILE = "model.safetensors";
export const WEIGHTS_INDEX_FILE = "model.safetensors.index.json";
/** Older or foreign weights that are recognised only to say how to convert them. */
export const FOREIGN_WEIGHTS_FILES = ["pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack", "model.onnx"] as const;

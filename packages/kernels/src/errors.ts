/** What went wrong, as a stable name that programs can switch on. */
export type ErrorCode =
  // shapes and types
  | "SHAPE_MISMATCH"
  | "DTYPE_MISMATCH"
  | "INVALID_ARGUMENT"
  | "VALUE_OUT_OF_RANGE"
  | "NOT_DIFFERENTIABLE"
  // programs
  | "TRACE_ERROR"
  | "INPUT_MISSING"
  | "INPUT_UNKNOWN"
  // ONNX graphs
  | "NOT_LOWERABLE"
  | "DYNAMIC_SHAPE"
  // devices
  | "NO_ADAPTER"
  | "PACKAGE_MISSING"
  | "DEVICE_LOST"
  | "RUNTIME_FAILED"
  | "OUT_OF_MEMORY"
  | "LIMIT_EXCEEDED"
  | "GPU_VALIDATION"
  | "DISPOSED"
  // safetensors files
  | "SAFETENSORS_TOO_SHORT"
  | "SAFETENSORS_HEADER_TOO_LARGE"
  | "SAFETENSORS_HEADER_TRUNCATED"
  | "SAFETENSORS_HEADER_NOT_JSON"
  | "SAFETENSORS_METADATA_INVALID"
  | "SAFETENSORS_ENTRY_INVALID"
  | "SAFETENSORS_DUPLICATE_NAME"
  | "SAFETENSORS_DTYPE_UNKNOWN"
  | "SAFETENSORS_SHAPE_INVALID"
  | "SAFETENSORS_SHAPE_OVERFLOW"
  | "SAFETENSORS_OFFSETS_INVALID"
  | "SAFETENSORS_SIZE_MISMATCH"
  | "SAFETENSORS_OUT_OF_BOUNDS"
  | "SAFETENSORS_OVERLAP"
  | "SAFETENSORS_HOLE"
  | "SAFETENSORS_TRAILING_BYTES"
  | "SAFETENSORS_VALUE_RANGE"
  | "GGUF_INVALID"
  | "TENSOR_NOT_FOUND"
  | "WEIGHTS_NOT_FINITE"
  // model folders
  | "MODEL_FOLDER_NOT_FOUND"
  | "CONFIG_MISSING"
  | "TOKENIZER_MISSING"
  | "WEIGHTS_MISSING"
  | "WEIGHTS_INDEX_INVALID"
  | "FILE_UNREADABLE"
  | "FILE_NAME_INVALID"
  | "DOWNLOAD_FAILED"
  | "DOWNLOAD_CORRUPT"
  | "UPLOAD_FAILED"
  | "HUB_ACCESS_DENIED"
  | "HUB_NOT_FOUND"
  | "NOT_CACHED"
  | "FOLDER_NOT_WRITABLE"
  | "FOLDER_IN_USE"
  | "DISK_FULL"
  | "NODE_REQUIRED"
  // configurations and tokenizers
  | "CONFIG_INVALID"
  | "MODEL_TYPE_UNKNOWN"
  | "ARCHITECTURE_UNKNOWN"
  | "WEIGHTS_MISMATCH"
  | "SELF_CHECK_FAILED"
  | "TOKENIZER_INVALID"
  | "TOKENIZER_TRAINING_FAILED"
  // data
  | "COLUMN_MISSING"
  | "DATA_EMPTY"
  | "DATA_INVALID"
  | "ONE_CLASS_ONLY"
  // generation
  | "SCHEMA_INVALID"
  | "SCHEMA_NOT_MET"
  | "GRAMMAR_ENGINE_MISSING"
  // training
  | "TRAINING_DIVERGED"
  | "CHECKPOINT_NOT_FOUND"
  | "CHECKPOINT_INVALID"
  | "CHECKPOINT_MISMATCH"
  | "FOLDER_NOT_EMPTY"
  | "ABORTED";

/**
 * The one error class of Heddle. `code` is for programs, `message` for people: it names the place,
 * what was wanted, what came, and the fix.
 */
export class HeddleError extends Error {
  override readonly name = "HeddleError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** True for any HeddleError, also one thrown by another copy of this package in the same process. */
  static isInstance(value: unknown): value is HeddleError {
    return value instanceof Error && value.name === "HeddleError" && typeof (value as { code?: unknown }).code === "string";
  }
}

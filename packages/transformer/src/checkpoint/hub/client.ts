// Alone in a module, so that what is fetched with the first download has these parts of the library and no others.
export { listFiles, modelInfo } from "@huggingface/hub";

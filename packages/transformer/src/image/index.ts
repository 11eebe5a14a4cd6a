export { ImageProcessor } from "./image-processor.ts";
export { parseImageProcessorConfig, type ImageProcessorConfig, type TargetSize } from "./processor-config.ts";
export { resizeImage, type ResamplingFilter } from "./resample.ts";
export type { RgbImage } from "./rgb-image.ts";

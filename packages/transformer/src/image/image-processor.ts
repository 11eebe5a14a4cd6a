import { HeddleError, type HostTensor } from "@heddle/kernels";
import type { ImageProcessorConfig } from "./processor-config.ts";
import { resizeImage } from "./resample.ts";
import { centerCrop, withoutAlpha, type RgbImage } from "./rgb-image.ts";

/** Images as models take them, with the numbers of transformers' image processors over Pillow. */
export class ImageProcessor {
  constructor(readonly config: ImageProcessorConfig) {}

  /**
   * Resized, cropped, rescaled and normalised: `pixelValues`, f32 [images, 3, height, width].
   *
   * @throws INVALID_ARGUMENT for no image, for one that is none, or where the images come out in several sizes
   */
  preprocess(images: readonly RgbImage[]): HostTensor {
    if (images.length === 0) throw new HeddleError("INVALID_ARGUMENT", "[image] there are no images: pass at least one");
    const sized = images.map((image) => this.#sized(withoutAlpha(image)));
    const { width, height } = sized[0]!;
    const other = sized.find((image) => image.width !== width || image.height !== height);
    if (other) throw new HeddleError("INVALID_ARGUMENT", `[image] images come out ${width} × ${height} and ${other.width} × ${other.height}: pass images of one size, or a preprocessor_config.json that crops`);
    const data = new Float32Array(images.length * 3 * width * height);
    sized.forEach((image, i) => this.#writeChannels(image, data.subarray(i * 3 * width * height, (i + 1) * 3 * width * height)));
    return { shape: [images.length, 3, height, width], data };
  }

  #sized(image: RgbImage): RgbImage {
    const { size, resample, cropSize } = this.config;
    let result = image;
    if (size) {
      const { height, width } = "shortestEdge" in size ? byShortestEdge(image, size.shortestEdge) : size;
      result = resizeImage(result, height, width, resample);
    }
    return cropSize ? centerCrop(result, cropSize.height, cropSize.width) : result;
  }

  /** [height, width, 3] bytes → [3, height, width]; each step rounds to f32, as NumPy does there. */
  #writeChannels({ width, height, data: bytes }: RgbImage, out: Float32Array): void {
    const { rescaleFactor = 1, imageMean, imageStd } = this.config;
    const { fround } = Math;
    for (let channel = 0; channel < 3; channel++) {
      const [mean, std] = [fround(imageMean?.[channel] ?? 0), fround(imageStd?.[channel] ?? 1)];
      const values = Float32Array.from({ length: 256 }, (_, byte) => fround(fround(byte * rescaleFactor) - mean) / std);
      for (let i = 0; i < width * height; i++) out[channel * width * height + i] = values[bytes[3 * i + channel]!]!;
    }
  }
}

function byShortestEdge({ width, height }: RgbImage, edge: number): { readonly height: number; readonly width: number } {
  const longest = Math.trunc((edge * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? { width: edge, height: longest } : { width: longest, height: edge };
}

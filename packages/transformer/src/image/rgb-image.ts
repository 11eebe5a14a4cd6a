import { HeddleError } from "@heddle/kernels";

/**
 * A decoded image: rows from the top, pixels from the left, 3 bytes (red, green, blue) or 4 (with alpha) each. Decoding PNG, JPEG and the
 * like is the caller's: in a browser `createImageBitmap` and a canvas' `getImageData`, which is an image of this kind as it is; in Node a
 * library such as sharp (`sharp(file).removeAlpha().raw()`).
 */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** The image with 3 bytes a pixel; alpha is left out, as Pillow's `convert("RGB")` does. Throws INVALID_ARGUMENT for one that is none. */
export function withoutAlpha({ width, height, data }: RgbImage): RgbImage {
  const pixels = width * height;
  const channels = data.length / pixels;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1 || (channels !== 3 && channels !== 4)) {
    throw new HeddleError("INVALID_ARGUMENT", `[image] ${width} × ${height} pixels in ${data.length} bytes: pass width, height and 3 or 4 bytes a pixel (RGB or RGBA), decoded`);
  }
  if (channels === 3) return { width, height, data };
  const rgb = new Uint8Array(3 * pixels);
  for (let i = 0; i < pixels; i++) rgb.set(data.subarray(4 * i, 4 * i + 3), 3 * i);
  return { width, height, data: rgb };
}

/** The middle of an image, with black around where the image is smaller (transformers' `center_crop`). 3 bytes a pixel. */
export function centerCrop(image: RgbImage, height: number, width: number): RgbImage {
  const data = new Uint8Array(3 * width * height);
  const [top, left] = [cropOffset(image.height, height), cropOffset(image.width, width)];
  for (let y = Math.max(0, -top); y < Math.min(height, image.height - top); y++) {
    const [from, to] = [Math.max(0, -left), Math.min(width, image.width - left)];
    const source = 3 * ((y + top) * image.width + left);
    data.set(image.data.subarray(source + 3 * from, source + 3 * to), 3 * (y * width + from));
  }
  return { width, height, data };
}

/** Where the crop begins; below 0 where it is larger than the image. */
const cropOffset = (size: number, crop: number): number => (crop <= size ? Math.floor((size - crop) / 2) : -padBefore(size, crop));

/** transformers pads the larger half in front, then cuts around the middle of what it padded. */
function padBefore(size: number, crop: number): number {
  return Math.ceil((crop - size) / 2);
}

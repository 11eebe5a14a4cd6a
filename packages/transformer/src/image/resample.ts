import type { RgbImage } from "./rgb-image.ts";

// Pillow's resampling (libImaging/Resample.c): a filter over the pixels that an output pixel covers, first along rows, then along
// columns, with 8 bits in between. Its integer arithmetic is followed to the bit, as it was up to Pillow 12: Pillow 13 takes columns first
// where that is much less work, as for images more than twice as high as wide, which rounds some pixels otherwise.

/** Pillow's numbers for its filters, as preprocessor_config.json has them. */
export const RESAMPLING_FILTERS = [0, 1, 2, 3, 4, 5] as const;
export type ResamplingFilter = (typeof RESAMPLING_FILTERS)[number];

interface Filter {
  /** Beyond this distance it is 0. */
  readonly support: number;
  weight(x: number): number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

const box: Filter = { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };

const bilinear: Filter = { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) };

/** Keys' cubic with a = −0.5. */
const bicubic: Filter = {
  support: 2,
  weight(signed) {
    const [a, x] = [-0.5, Math.abs(signed)];
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
  },
};

const hamming: Filter = { support: 1, weight: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))) };

const lanczos: Filter = { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) };

/** By Pillow's numbers from 1 on; 0 is the nearest pixel, which is no filter. */
const FILTERS: readonly Filter[] = [box, lanczos, bilinear, bicubic, box, hamming];

/** Bits after the point of a weight. */
const PRECISION = 22;

/** An image of 3 bytes a pixel at another size. */
export function resizeImage(image: RgbImage, height: number, width: number, filter: ResamplingFilter): RgbImage {
  if (filter === 0) return nearest(image, height, width);
  const rows = width === image.width ? image : along(image, width, FILTERS[filter]!, { axis: "x" });
  return height === image.height ? rows : along(rows, height, FILTERS[filter]!, { axis: "y" });
}

/** Which input pixels an output pixel is made of, from `first` on, and how much of each. */
interface Taps {
  readonly first: number;
  readonly weights: Int32Array;
}

function tapsOf(inputSize: number, outputSize: number, { support, weight }: Filter): Taps[] {
  const scale = inputSize / outputSize;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: outputSize }, (_, i) => {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support * stretch + 0.5));
    const end = Math.min(inputSize, Math.trunc(center + support * stretch + 0.5));
    const weights = Array.from({ length: end - first }, (__, x) => weight((x + first - center + 0.5) * (1 / stretch)));
    const total = weights.reduce((sum, one) => sum + one, 0);
    return { first, weights: Int32Array.from(weights, (one) => Math.trunc((total === 0 ? one : one / total) * 2 ** PRECISION + (one / (total || 1) < 0 ? -0.5 : 0.5))) };
  });
}

function along(image: RgbImage, size: number, filter: Filter, { axis }: { axis: "x" | "y" }): RgbImage {
  const [width, height] = axis === "x" ? [size, image.height] : [image.width, size];
  const taps = tapsOf(axis === "x" ? image.width : image.height, size, filter);
  const step = axis === "x" ? 3 : 3 * image.width;
  const data = new Uint8ClampedArray(3 * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const { first, weights } = taps[axis === "x" ? x : y]!;
      const from = axis === "x" ? 3 * (y * image.width + first) : 3 * (first * image.width + x);
      for (let channel = 0; channel < 3; channel++, to++) {
        let sum = 2 ** (PRECISION - 1);
        for (let i = 0, at = from + channel; i < weights.length; i++, at += step) sum += image.data[at]! * weights[i]!;
        data[to] = Math.floor(sum / 2 ** PRECISION);
      }
    }
  }
  return { width, height, data };
}

function nearest(image: RgbImage, height: number, width: number): RgbImage {
  const data = new Uint8Array(3 * width * height);
  const [rows, columns] = [nearestPlaces(image.height, height), nearestPlaces(image.width, width)];
  rows.forEach((row, y) => {
    columns.forEach((column, x) => {
      const at = 3 * (row * image.width + column);
      data.set(image.data.subarray(at, at + 3), 3 * (y * width + x));
    });
  });
  return { width, height, data };
}

/** Places are added up, as Pillow does, so that they round alike. */
function nearestPlaces(inputSize: number, outputSize: number): number[] {
  const scale = inputSize / outputSize;
  let at = scale * 0.5;
  return Array.from({ length: outputSize }, () => {
    const place = Math.min(inputSize - 1, Math.trunc(at));
    at += scale;
    return place;
  });
}

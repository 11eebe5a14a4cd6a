import { describe, expect, it } from "vitest";
import { ImageProcessor, parseImageProcessorConfig, resizeImage, type RgbImage, type ResamplingFilter } from "./index.ts";

/** Byte i is i²·31 + 17·i + ⌊7919·i / 8⌋, modulo 256. */
const made = (width: number, height: number): RgbImage => ({ width, height, data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * i * 31 + i * 17 + ((i * 7919) >> 3)) & 255) });

describe("resizeImage", () => {
  // Pillow 11.3: the first bytes of the image of 7 × 5 at 4 × 6, and the sum of all.
  it.each<[ResamplingFilter, number[], number]>([
    [0, [0, 13, 89, 245, 119, 55, 162, 152, 204, 7, 113, 25], 9565],
    [1, [112, 90, 121, 203, 135, 125, 97, 160, 233, 35, 181, 105], 9332],
    [2, [109, 86, 125, 187, 127, 130, 111, 158, 215, 38, 168, 117], 9341],
    [3, [107, 87, 124, 197, 132, 127, 106, 160, 226, 31, 177, 110], 9318],
    [4, [114, 92, 133, 149, 116, 145, 162, 152, 204, 35, 176, 122], 9403],
    [5, [95, 79, 125, 198, 123, 109, 126, 152, 213, 31, 165, 106], 9391],
  ])("gives Pillow's bytes with its filter %i", (filter, first, sum) => {
    const data = Array.from(resizeImage(made(7, 5), 6, 4, filter).data);
    expect([data.slice(0, 12), data.reduce((total, byte) => total + byte, 0)]).toEqual([first, sum]);
  });
});

describe("ImageProcessor", () => {
  it("resizes, crops beyond the edge and normalises as transformers 4.57.1's CLIPImageProcessor", () => {
    const processor = new ImageProcessor(parseImageProcessorConfig({ image_processor_type: "CLIPImageProcessor", size: { shortest_edge: 6 }, crop_size: { height: 8, width: 5 } }));
    const { shape, data: values } = processor.preprocess([made(7, 9)]);
    const data = Array.from(values);
    expect(shape).toEqual([1, 3, 8, 5]);
    [-1.79226, 0.60188, -0.44921, -1.572, 1.96104, -0.07243].forEach((value, i) => expect(data[[0, 7, 23, 50, 88, 119][i]!]).toBeCloseTo(value, 4));
    expect(data.reduce((total, value) => total + value, 0)).toBeCloseTo(-0.8151, 3);
  });

  it("puts black around a small image, and leaves alpha and what is switched off out", () => {
    const processor = new ImageProcessor(parseImageProcessorConfig({ do_resize: false, do_center_crop: true, crop_size: 3, do_normalize: false, rescale_factor: 1 }));
    const { data } = processor.preprocess([{ width: 2, height: 1, data: Uint8ClampedArray.from([1, 2, 3, 99, 4, 5, 6, 99]) }]);
    expect(Array.from(data)).toEqual([0, 0, 0, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 2, 5, 0, 0, 0, 0, 0, 0, 0, 3, 6, 0, 0, 0]);
  });

  it("says what is wrong with images and files", () => {
    const processor = new ImageProcessor(parseImageProcessorConfig({ size: { shortest_edge: 4 } }));
    expect(() => processor.preprocess([])).toThrow(/no images/);
    expect(() => processor.preprocess([{ width: 2, height: 2, data: new Uint8Array(4) }])).toThrow(/2 × 2 pixels in 4 bytes/);
    expect(() => processor.preprocess([made(4, 4), made(8, 4)])).toThrow(/4 × 4 and 8 × 4/);
    for (const wrong of [[], { size: -1 }, { size: { longest_edge: 3 } }, { resample: 9 }, { image_mean: [1] }]) expect(() => parseImageProcessorConfig(wrong)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });
});

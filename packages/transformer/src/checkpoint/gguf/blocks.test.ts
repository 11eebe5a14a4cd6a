import { describe, expect, it } from "vitest";
import { BLOCK_FORMATS } from "./blocks.ts";

/** One block of chance bytes, and what llama.cpp's gguf package (0.17) makes of it: the first and last three weights, and Σ i · w. */
const blocks: [type: number, name: string, bytes: string, ends: number[], weighted: number][] = [
  [1, "F16", "AD4ArA==", [1.5, -0.0625], 1.375],
  [30, "BF16", "QD/AwQ==", [0.75, -24], -47.25],
  [2, "Q4_0", "vCjMBSU11c7ArQZ4P2Dsg3YE", [0.14794921875, -0.1109619140625, -0.1109619140625, 0, -0.0369873046875, -0.2958984375], -24.189697265625],
  [3, "Q4_1", "vChmtu0QwvoKZ84NjwImR4V2JGI=", [0.0809326171875, -0.39990234375, -0.325927734375, -0.1409912109375, -0.325927734375, -0.177978515625], -94.5274658203125],
  [6, "Q5_0", "vCg5kjKzkWjONY0htSeXC7SKQgClYg==", [0.0369873046875, -0.2958984375, -0.073974609375, 0, -0.221923828125, 0.221923828125], -43.7559814453125],
  [7, "Q5_1", "vChmtoEByv9VNuQwf6kBp233EMBO3Ag8", [0.3768310546875, -0.177978515625, -0.251953125, 0.6727294921875, 0.19189453125, 0.3028564453125], 119.6290283203125],
  [8, "Q8_0", "vChASAi5WG+/imNDMERk+UMofy0hM87l2VU1zHiGH9gOfw==", [2.3671875, 2.6630859375, 0.2958984375, -1.4794921875, 0.517822265625, 4.6973876953125], 499.92041015625],
  [12, "Q4_K", "TRhTFVOXxqCtwTZ+fjl2qmuDO600i7WpP8SQD4qJh/UPjDuO/IxM5zPafUWXdYxcvdEw4UfZ2C98W3AQLVi4X0jX3q0kkksfvh6+3r5LT1f/izE6hQlhi4cYPOU0a0niwjNI30q9dE5ci70EuF00x/NtHrXNwl7FWZ9OAG0vsQn6ddyAD63MVXRpyW+U62nu", [0.3804044723510742, 0.06120586395263672, 0.3804044723510742, 1.200998306274414, 0.49540138244628906, 1.200998306274414], 19403.05195426941],
  [13, "Q5_K", "TRhTFRK1KYfvcC9T4uuCS8AgZM7pWzknBgEDUUrOaB6CZCcmsIPwR4qu0bK8Dl2UQ8nTcqmAZytpTIfM1tO+zHnOSjwI0kgPOGjdUfKVYCWV58TMDUABhbE3z4EjNmJKjHKigdRnq/foN3c8vumfxFCmuAMLgVVQ88Ln7mwaC9/VrfgVg3PR13MfTdgcHgp0nm4tXqZJ+vr5PXbzlztereO7QGaZg9A1vqq67/xYz0Q=", [0.052306175231933594, 0.27910518646240234, 0.052306175231933594, 0.42550086975097656, 1.0575981140136719, 1.7799949645996094], 24845.70920944214],
  [14, "Q6_K", "r3xgjg+UtaxFgnk97E6uUIHPzb2NhIky6s2krKNE0PGiEiivTLhspXkxvXYc78f3SLDNOAuRGFsypxSkhpqep5s3ahsY1Yopn3o1sdcWONeVtaiin/X57vcfY2CFrmhUpwZszBLRhApSp6sxU71hMYkd9WMQPiooKWVFzN24t9h51WZhUm+CB0ARmLYzUpUbgffNnOTxyyuecOXwW1VzrXuG3v2Nr++d1thCucMEQGBLYxDPjCnqHIMpIidpTTpc6/l/tnQvSXxQ6f3YvnwF8RQN", [0.006508827209472656, 0.026035308837890625, -0, 0.023245811462402344, 0.09763240814208984, 0.013947486877441406], 252.04968452453613],
];

describe("ggml's blocks", () => {
  it.each(blocks)("type %d, %s, as llama.cpp works it out", (type, name, base64, ends, weighted) => {
    const format = BLOCK_FORMATS.get(type)!;
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    expect([format.name, bytes.length % format.bytes]).toEqual([name, 0]);
    const y = new Float32Array((bytes.length / format.bytes) * format.weights);
    for (let block = 0; block * format.bytes < bytes.length; block++) format.decode(bytes, block * format.bytes, y, block * format.weights);
    const shown = ends.length === 2 ? y : [...y.subarray(0, 3), ...y.subarray(-3)];
    ends.forEach((wanted, i) => expect(Math.abs(shown[i]! - wanted), `weight ${i}`).toBeLessThanOrEqual(1e-7 * Math.max(1, Math.abs(wanted))));
    expect(Math.abs(y.reduce((sum, value, i) => sum + value * (i + 1), 0) - weighted)).toBeLessThan(1e-6 * Math.abs(weighted) + 1e-6);
  });
});

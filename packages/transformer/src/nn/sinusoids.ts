import type { HostTensor } from "@heddle/kernels";

/** Sinusoidal positions (Vaswani et al. 2017, section 3.5), all sines before all cosines. f32 [positions, size]. */
export function sinusoids(positions: number, size: number): HostTensor {
  const data = new Float32Array(positions * size);
  const sines = Math.ceil(size / 2);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < size; i++) {
      const angle = position / 10000 ** ((2 * Math.floor(i / 2)) / size);
      data[position * size + (i % 2 === 0 ? i / 2 : sines + (i - 1) / 2)] = i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return { shape: [positions, size], data };
}

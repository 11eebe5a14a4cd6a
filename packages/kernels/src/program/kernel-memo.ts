import type { Kernel } from "./kernel.ts";

/** One op's kernels by what their text depends on: building a text anew for every node would be slow. */
export function kernelMemo(): (key: unknown, make: () => Kernel) => Kernel {
  const known = new Map<string, Kernel>();
  return (key, make) => {
    const text = JSON.stringify(key);
    let kernel = known.get(text);
    if (!kernel) known.set(text, (kernel = make()));
    return kernel;
  };
}

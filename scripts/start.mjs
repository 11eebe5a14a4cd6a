import { existsSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./run.mjs";
import { build, install, main } from "./setup.mjs";

/** Programs of benchmarks/ run from the packages' sources: nothing to build. */
const fromSource = {
  parity: ["benchmarks/parity/main.ts"],
  fuzz: ["benchmarks/fuzz/main.ts"],
  "bench:kernels": ["benchmarks/main.ts", "kernels"],
  "bench:models": ["benchmarks/main.ts", "models"],
  "bench:training": ["benchmarks/main.ts", "training"],
  "bench:versus": ["benchmarks/versus/main.ts"],
  "bench:auto": ["benchmarks/auto/main.ts"],
  "bench:decoding": ["benchmarks/decoding/main.ts"],
};

const [program = "", ...args] = process.argv.slice(2);

await main(async () => {
  await install();
  if (program === "demo") {
    await build();
    return run(process.execPath, [join(root, "packages/cli/bin/heddle.js"), "demo", ...args]);
  }
  const [entry, ...fixed] = fromSource[program] ?? [];
  if (!entry) throw new Error(`there is no program "${program}"; there are demo, ${Object.keys(fromSource).join(", ")}.`);
  if (!existsSync(join(root, entry))) throw new Error(`${entry} is missing from this checkout; restore it with \`git checkout ${entry}\`.`);
  return run(process.execPath, ["--conditions=@heddle/source", "--import", "tsx", join(root, entry), ...fixed, ...args]);
});

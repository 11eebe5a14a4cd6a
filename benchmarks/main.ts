import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HeddleError, openDevice, WebGpuDevice, type AdapterProfile } from "@heddle/kernels";
import { kernelWorks } from "./kernels/works.ts";
import { modelWorks } from "./models/works.ts";
import { formatRow, header, type CeilingRates } from "./row.ts";
import { measure } from "./session.ts";
import { trainingWorks } from "./training/works.ts";
import type { Work } from "./work.ts";

const benchmarks: Record<string, (kind: AdapterProfile["kind"]) => Work[]> = { kernels: kernelWorks, models: modelWorks, training: trainingWorks };

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: "string" }, rounds: { type: "string", default: "7" }, json: { type: "string" }, help: { type: "boolean" } },
  });
  const [benchmark = ""] = positionals;
  const command = `npm run bench:${benchmark}`;
  if (values.help) {
    console.log(`${command} -- [--only WORDS OF A WORK'S NAME AND SHAPE] [--rounds N] [--json FILE]`);
    return;
  }
  const works = benchmarks[benchmark];
  if (!works) throw new HeddleError("INVALID_ARGUMENT", `[bench] no benchmark is called "${benchmark}"; there are ${Object.keys(benchmarks).join(", ")}`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new HeddleError("INVALID_ARGUMENT", `[${command}] --rounds must be a whole number of at least 1, got ${values.rounds}`);
  const device = await openDevice({ device: "webgpu" });
  if (!(device instanceof WebGpuDevice)) throw new HeddleError("NO_ADAPTER", `[${command}] measures WebGPU; this is ${device.description}`);
  try {
    const all = works(device.gpu.profile.kind);
    const chosen = all.filter(({ name, shape }) => `${name} ${shape}`.includes(values.only ?? ""));
    if (chosen.length === 0) throw new HeddleError("INVALID_ARGUMENT", `[${command}] no work's name has "${values.only}" in it; there are ${[...new Set(all.map(({ name }) => name))].join(", ")}`);
    const loadBefore = loadavg()[0]!;
    console.log(`${device.description}; ${availableParallelism()} cores, load ${loadBefore.toFixed(2)}; medians of ${rounds} rounds`);
    const { ceilings, rows } = await measure(device, chosen, rounds, (name) => process.stdout.isTTY && process.stdout.write(`\r\x1b[K${name}`));
    if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
    const spell = ({ gflops, gbps }: CeilingRates) => `${gflops.toFixed(1)} GFLOP/s of multiply-adds, ${gbps.toFixed(2)} GB/s of copying`;
    console.log(`ceilings in the same run: ${spell(ceilings.wall)} by the clock${ceilings.cpu ? `; ${spell(ceilings.cpu)} by the driver's CPU time` : ""}`);
    if (ceilings.cpu) console.log(`cpu2 and the rates: the driver's CPU time on ${availableParallelism()} cores, which other programs disturb less than the clock`);
    console.log(`\n${header}`);
    for (const row of rows) console.log(formatRow(row));
    const date = new Date().toISOString();
    const file = values.json ?? join(import.meta.dirname, "results", `${benchmark}-${date.slice(0, 10)}.json`);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, `${JSON.stringify({ benchmark, adapter: device.description, node: process.version, cores: availableParallelism(), rounds, loadBefore, loadAfter: loadavg()[0], date, ceilings, rows }, null, 2)}\n`);
    console.log(`\nwritten to ${file}`);
  } finally {
    device.dispose();
  }
}

await main().catch((error: unknown) => {
  if (!HeddleError.isInstance(error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = error.code === "INVALID_ARGUMENT" ? 2 : 1;
});

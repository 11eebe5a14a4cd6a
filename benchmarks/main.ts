import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HeddleError, measureCeiling, openDevice, WebGpuDevice, type Device } from "@heddle/kernels";
import { benchmarkMatmul } from "./kernels/matmul.ts";
import { benchmarkEncoders } from "./models/encoder.ts";
import type { Row } from "./row.ts";
import { benchmarkTrainingStep } from "./training/step.ts";

const benchmarks: Record<string, (device: Device) => Promise<Row[]>> = {
  matmul: benchmarkMatmul,
  encoder: benchmarkEncoders,
  "training-step": benchmarkTrainingStep,
};

const { values } = parseArgs({ options: { only: { type: "string" }, json: { type: "string" }, help: { type: "boolean" } } });
if (values.help) {
  console.log(`npm run bench -- [--only ${Object.keys(benchmarks).join("|")}] [--json FILE]`);
  process.exit(0);
}
const chosen = values.only === undefined ? Object.keys(benchmarks) : [values.only];
const unknown = chosen.find((name) => !(name in benchmarks));
if (unknown !== undefined) throw new HeddleError("INVALID_ARGUMENT", `[bench] no benchmark is called ${unknown}; there are ${Object.keys(benchmarks).join(", ")}`);

const device = await openDevice({ device: "webgpu" });
if (!(device instanceof WebGpuDevice)) throw new HeddleError("NO_ADAPTER", "[bench] measures WebGPU; run it with HEDDLE_DEVICE unset");
const ceilingGflops = await measureCeiling(device.gpu);
console.log(`${device.description}\nmultiply-add ceiling measured now: ${ceilingGflops.toFixed(1)} GFLOP/s (wall time)\n`);

const rows: Row[] = [];
for (const name of chosen) {
  for (const row of await benchmarks[name]!(device)) {
    rows.push(row);
    const byCpu = row.heddleByCpu === null ? "" : `   ${row.heddleByCpu.toFixed(1)} by the driver's CPU time`;
    console.log(`${row.work.padEnd(32)} ${row.shape.padEnd(16)} ${row.heddle.toFixed(1).padStart(10)} ${row.unit.padEnd(12)}${byCpu}`);
  }
}
const date = new Date().toISOString();
const file = values.json ?? join(import.meta.dirname, "results", `${date.slice(0, 10)}.json`);
mkdirSync(join(file, ".."), { recursive: true });
writeFileSync(file, `${JSON.stringify({ adapter: device.description, node: process.version, date, ceilingGflops, rows }, null, 2)}\n`);
console.log(`\nwritten to ${file}`);
device.dispose();

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HeddleError, openDevice, type DeviceName } from "@heddle/kernels";
import { benchmarkMinilm } from "./minilm.ts";
import { benchmarkMinilmTraining } from "./minilm-train.ts";
import { benchmarkNanoGptTraining } from "./nanogpt-train.ts";
import { PyTorch } from "./pytorch.ts";
import { formatRow, type VersusRow } from "./row.ts";
import type { Work } from "./work.ts";

const works: Record<string, { work: Work; devices: readonly string[] }> = {
  "minilm-cpu": { work: benchmarkMinilm, devices: ["cpu"] },
  "minilm-train-cpu": { work: benchmarkMinilmTraining, devices: ["cpu"] },
  "nanogpt-train": { work: benchmarkNanoGptTraining, devices: ["cpu", "webgpu"] },
};

interface Options {
  readonly chosen: readonly string[];
  readonly device: string;
  readonly threads: number;
  readonly rounds: number;
  readonly json: string | undefined;
}

/** Null after `--help`. Throws INVALID_ARGUMENT with the fix. */
function parse(): Options | null {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      json: { type: "string" },
      rounds: { type: "string", default: "9" },
      threads: { type: "string", default: "2" },
      device: { type: "string", default: "cpu" },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    console.log(`npm run bench:versus -- [--only ${Object.keys(works).join("|")}] [--json FILE] [--rounds N] [--threads N] [--device cpu|webgpu]`);
    return null;
  }
  const count = (name: "rounds" | "threads") => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= 1) return value;
    throw new HeddleError("INVALID_ARGUMENT", `[bench:versus] --${name} must be a whole number of at least 1, got ${values[name]}`);
  };
  const chosen = values.only === undefined ? Object.keys(works) : [values.only];
  for (const name of chosen) {
    const work = works[name];
    if (!work) throw new HeddleError("INVALID_ARGUMENT", `[bench:versus] no work is called ${name}; there are ${Object.keys(works).join(", ")}`);
    if (work.devices.includes(values.device)) continue;
    const able = Object.keys(works).filter((other) => works[other]!.devices.includes(values.device));
    throw new HeddleError("INVALID_ARGUMENT", `[bench:versus] ${name} does not run on --device ${values.device}; ${able.length > 0 ? `add --only ${able.join(" or ")}` : "choose cpu or webgpu"}`);
  }
  return { chosen, device: values.device, threads: count("threads"), rounds: count("rounds"), json: values.json };
}

async function main(): Promise<void> {
  const options = parse();
  if (!options) return;
  const { chosen, threads, rounds, json } = options;
  const folder = mkdtempSync(join(tmpdir(), "heddle-versus-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  process.once("SIGINT", () => process.exit(130));

  const device = await openDevice({ device: options.device as DeviceName, threads });
  const opened = await PyTorch.open(threads);
  const pytorch = typeof opened === "string" ? null : opened;
  const environment = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version, threads, rounds, transformers: pytorch?.transformersVersion ?? null, loadBefore: loadavg() };
  console.log(`${device.description}; ${environment.cpu}, ${environment.cores} cores; load ${loadavg()[0]!.toFixed(2)}; medians of ${rounds} turns each`);
  if (typeof opened === "string") {
    console.log(`WITHOUT PYTORCH: python3 cannot load torch and transformers (${opened}). There is nobody to compare training with, and nobody to export the encoder for onnxruntime: these are Heddle's times alone.`);
  }
  console.log();
  const rows: VersusRow[] = [];
  try {
    for (const name of chosen) {
      for await (const row of works[name]!.work({ device, pytorch, threads, rounds, folder })) {
        rows.push(row);
        console.log(`${formatRow(row)}\n`);
      }
    }
  } finally {
    await pytorch?.close();
    device.dispose();
  }
  const date = new Date().toISOString();
  const file = json ?? join(import.meta.dirname, "..", "results", `versus-${date.slice(0, 10)}.json`);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...environment, loadAfter: loadavg(), date, rows }, null, 2)}\n`);
  console.log(`load now ${loadavg()[0]!.toFixed(2)}; written to ${file}`);
}

await main().catch((error: unknown) => {
  if (!HeddleError.isInstance(error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = error.code === "INVALID_ARGUMENT" ? 2 : 1;
});

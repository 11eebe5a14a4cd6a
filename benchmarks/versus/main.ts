import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HeddleError, openDevice, type Device } from "@heddle/kernels";
import { ProcessStage } from "./process/stage.ts";
import { PyTorch } from "./pytorch.ts";
import { formatRow, type VersusRow } from "./row.ts";
import type { Stage } from "./stage.ts";
import { chooseWorks, works, type Chosen } from "./works.ts";

const HELP = `npm run bench:versus -- [--only ${Object.keys(works).join("|")}] [--json FILE] [--device cpu|webgpu] [--browser] [--rounds N] [--threads N]

Heddle beside its peers, in turns, after a check that all compute the same numbers; medians.
  --only NAME     one work; by default all
  --json FILE     where to write the rows; by default benchmarks/results/versus-DATE.json
  --device NAME   only works on this device; by default each on all that it knows
  --browser       in a headless Chromium, with the peers of browsers: ${Object.keys(works).filter((name) => works[name]!.browser).join(", ")}
  --rounds N      turns for each side, 9 by default; fewer where a shape takes longer than a minute
  --threads N     of the CPU, for every side, 2 by default
The adapter of WebGPU is Heddle's choice: HEDDLE_ADAPTER (lavapipe, swiftshader, gpu, part of a name) or VK_DRIVER_FILES set it.
With --browser it is Chromium's software adapter, or with HEDDLE_ADAPTER=gpu its first choice. CHROMIUM_PATH says where Chromium is.`;

interface Options {
  readonly chosen: readonly Chosen[];
  readonly threads: number;
  readonly rounds: number;
  readonly json: string | undefined;
  readonly browser: boolean;
}

/** Null after `--help`. Throws INVALID_ARGUMENT with the fix. */
function parse(): Options | null {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      json: { type: "string" },
      rounds: { type: "string", default: "9" },
      threads: { type: "string", default: "2" },
      device: { type: "string" },
      browser: { type: "boolean", default: false },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    console.log(HELP);
    return null;
  }
  const count = (name: "rounds" | "threads") => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= 1) return value;
    throw new HeddleError("INVALID_ARGUMENT", `[bench:versus] --${name} must be a whole number of at least 1, got ${values[name]}`);
  };
  return { chosen: chooseWorks(values), browser: values.browser, threads: count("threads"), rounds: count("rounds"), json: values.json };
}

async function main(): Promise<void> {
  const options = parse();
  if (!options) return;
  const { chosen, browser, threads, rounds, json } = options;
  const folder = mkdtempSync(join(tmpdir(), "heddle-versus-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  process.once("SIGINT", () => process.exit(130));

  const opened = chosen.some(({ name }) => works[name]!.pytorch) ? await PyTorch.open(threads) : null;
  const pytorch = typeof opened === "string" ? null : opened;
  const environment = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version, threads, rounds, transformers: pytorch?.transformersVersion ?? null, loadBefore: loadavg() };
  console.log(`${environment.cpu}, ${environment.cores} cores; load ${loadavg()[0]!.toFixed(2)}; medians of up to ${rounds} turns each`);
  if (typeof opened === "string") {
    console.log(`WITHOUT PYTORCH: python3 cannot load torch and transformers (${opened}). There is nobody to compare training with, and nobody else to export the encoder for onnxruntime.`);
  }
  console.log();
  let stage: Promise<Stage> | null = null;
  const rows: VersusRow[] = [];
  try {
    for (const { name, device } of chosen) {
      let own: Promise<Device> | null = null;
      const run = { device: () => (own ??= openDevice({ device, threads })), stage: () => (stage ??= openStage(browser, folder)), pytorch, threads, rounds, folder };
      try {
        for await (const row of works[name]!.work(run)) {
          rows.push(row);
          console.log(`${formatRow(row)}\n`);
        }
      } finally {
        (await (own as Promise<Device> | null))?.dispose();
      }
    }
  } finally {
    await pytorch?.close();
    await (await (stage as Promise<Stage> | null))?.close();
  }
  const date = new Date().toISOString();
  const file = json ?? join(import.meta.dirname, "..", "results", `versus-${browser ? "browser-" : ""}${date.slice(0, 10)}.json`);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...environment, loadAfter: loadavg(), date, rows }, null, 2)}\n`);
  console.log(`load now ${loadavg()[0]!.toFixed(2)}; written to ${file}`);
}

async function openStage(browser: boolean, folder: string): Promise<Stage> {
  if (!browser) return ProcessStage.open(folder);
  // Only then: it wants Vite and Playwright.
  const { BrowserStage } = await import("./browser/stage.ts");
  return BrowserStage.open(folder);
}

await main().catch((error: unknown) => {
  if (!HeddleError.isInstance(error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = error.code === "INVALID_ARGUMENT" ? 2 : 1;
});

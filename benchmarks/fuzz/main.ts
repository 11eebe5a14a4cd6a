import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { FUZZ_READERS, type FuzzReaderName } from "@heddle/transformer/testing";
import type { FuzzMessage } from "./reader.ts";

const USAGE = "npm run fuzz -- [--cases N] [--seed N] [--reader NAME] [--first N]";

/** The programs themselves, and 64 MiB: who needs more for files of a few kilobytes dies. */
const HEAP_MIB = 96 + 64;
const PROGRESS_MS = 1000;
/** A case may take a second, and a process a few to begin; a machine may be busy. */
const SILENCE_MS = 180_000;

interface Range {
  readonly first: number;
  readonly count: number;
}

/** What a process said, and the last case that it spoke of. */
interface Ending {
  readonly last: number;
  readonly message: Exclude<FuzzMessage, { type: "case" }> | undefined;
  readonly how: string;
}

/** Runs one reader over cases in a process of its own. It is ended where it says nothing for long. */
function run(name: FuzzReaderName, seed: number, { first, count }: Range, everyMs: number, onCase: (index: number) => void): Promise<Ending> {
  const child = fork(fileURLToPath(new URL("reader.ts", import.meta.url)), [name, String(seed), String(first), String(count), String(everyMs)], {
    execArgv: [`--max-old-space-size=${HEAP_MIB}`, "--conditions=@heddle/source", "--import", "tsx"],
    stdio: ["ignore", "inherit", "ignore", "ipc"],
  });
  return new Promise((resolve) => {
    let last = first;
    let ending: Ending["message"];
    let how = "";
    const watch = () => setTimeout(() => ((how = `no end within ${SILENCE_MS / 1000} s`), child.kill("SIGKILL")), SILENCE_MS);
    let timer = watch();
    child.on("message", (message: FuzzMessage) => {
      clearTimeout(timer);
      if (message.type !== "case") ending = message;
      else {
        last = message.index;
        timer = watch();
        onCase(last);
      }
    });
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      resolve({ last, message: ending, how: how || `the process ended by ${signal ?? `code ${code}`}, most likely beyond ${HEAP_MIB} MiB of heap` });
    });
  });
}

/** The case that a process died or stopped in: run again from the last one that it spoke of, with a word about each. */
async function findCase(name: FuzzReaderName, seed: number, from: number, count: number): Promise<string> {
  const { last, message, how } = await run(name, seed, { first: from, count }, 0, () => undefined);
  if (message?.type === "failed") return message.message;
  return message ? `${name}, seed ${seed}: a process ended near case ${from}, and not when run again` : `${name}, seed ${seed}, case ${last}: ${how}`;
}

async function main(): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({ options: { cases: { type: "string", default: "100000" }, seed: { type: "string", default: "1" }, reader: { type: "string" }, first: { type: "string", default: "0" } } }));
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const [cases, seed, first] = [Number(values.cases), Number(values.seed), Number(values.first)];
  const names = values.reader === undefined ? FUZZ_READERS : FUZZ_READERS.filter((name) => name === values.reader);
  if (!Number.isSafeInteger(cases) || cases < 1 || !Number.isSafeInteger(seed) || !Number.isSafeInteger(first) || names.length === 0) {
    console.error(`Give whole numbers, and a reader of ${FUZZ_READERS.join(", ")}.\n${USAGE}`);
    return 2;
  }
  const each = Math.ceil(cases / names.length);
  let failures = 0;
  const started = performance.now();
  for (const name of names) {
    let next = 0;
    const { last, message } = await run(name, seed, { first, count: each }, PROGRESS_MS, (index) => {
      if (performance.now() < next) return;
      next = performance.now() + (process.stderr.isTTY ? 0 : 60_000);
      process.stderr.write(`${process.stderr.isTTY ? "\r" : ""}${name} ${index - first} of ${each}, seed ${seed}${process.stderr.isTTY ? "" : "\n"}`);
    });
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    if (message?.type === "done") {
      const { read = 0, ...refused } = message.outcomes;
      const reasons = Object.entries(refused).sort(([, a], [, b]) => b - a).map(([code, count]) => `${code} ${count}`);
      console.log(`PASS ${name} ${each} cases, seed ${seed}: ${read} read, ${each - read} refused (${reasons.join(", ")}); slowest ${Math.round(message.slowestMs)} ms, most memory ${(message.mostBytes / 2 ** 20).toFixed(1)} MiB`);
    } else {
      failures++;
      console.log(`FAIL ${message?.type === "failed" ? message.message : await findCase(name, seed, last, first + each - last)}`);
    }
  }
  console.log(`${failures === 0 ? "PASS" : "FAIL"} ${each * names.length} cases in ${Math.round((performance.now() - started) / 1000)} s`);
  return failures > 0 ? 1 : 0;
}

process.exitCode = await main();

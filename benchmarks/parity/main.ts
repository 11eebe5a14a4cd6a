import { parseArgs } from "node:util";
import { openDevice } from "@heddle/kernels";
import { readGoldenCase } from "./golden.ts";
import { runCase, type CaseResult } from "./run-case.ts";

const USAGE = "npm run parity -- DIR [DIR …] [--device webgpu|cpu|reference] [--json]";

/** One line a case; the exit code is 1 where any fails and 2 where the command was wrong. */
async function main(): Promise<number> {
  const parsed = parse();
  if (typeof parsed === "string") {
    console.error(`${parsed}\n${USAGE}`);
    return 2;
  }
  const { folders, device: name, json } = parsed;
  const device = await openDevice({ device: name });
  console.error(device.description);
  let failures = 0;
  try {
    for (const folder of folders) {
      const result = await readGoldenCase(folder).then(
        (golden) => runCase(device, golden),
        (error: unknown): CaseResult => ({ name: folder, pass: false, forward: null, grad: null, train: null, generate: null, reason: String((error as Error).message) }),
      );
      if (!result.pass) failures++;
      console.log(json ? JSON.stringify(result) : line(result));
    }
  } finally {
    device.dispose();
  }
  return failures > 0 ? 1 : 0;
}

function parse(): { folders: string[]; device: "webgpu" | "cpu" | "reference"; json: boolean } | string {
  try {
    const { positionals, values } = parseArgs({ allowPositionals: true, options: { device: { type: "string", default: "webgpu" }, json: { type: "boolean", default: false } } });
    if (positionals.length === 0) return "Give at least one golden case folder.";
    if (values.device !== "webgpu" && values.device !== "cpu" && values.device !== "reference") return `--device is webgpu, cpu or reference, not ${values.device}.`;
    return { folders: positionals, device: values.device, json: values.json };
  } catch (error) {
    return (error as Error).message;
  }
}

function line({ name, pass, forward, grad, train, generate, reason }: CaseResult): string {
  const part = (error: number | null) => (error === null ? "-" : error.toExponential(1));
  const numbers = `forward ${part(forward)} grad ${part(grad)} train ${part(train)} generate ${part(generate)}`;
  return `${pass ? "PASS" : "FAIL"} ${name} ${numbers}${reason === null ? "" : ` | ${reason}`}`;
}

process.exitCode = await main();

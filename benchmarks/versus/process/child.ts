import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { driverCpuMs } from "../../measure.ts";
import { Batches } from "../batch.ts";
import type { Implementation, Place } from "../implementations/implementation.ts";
import { implementations } from "../implementations/table.ts";
import { timed, untilQuiet } from "../turns.ts";
import type { ChildSpec } from "./side.ts";

// One implementation in a process of its own, by the protocol of LinePeer.

// Libraries print; only answers may reach stdout.
console.log = console.info = console.debug = console.error;

const spec = JSON.parse(process.argv[2]!) as ChildSpec;
const place: Place = { ...spec, onnxRuntime: () => import("onnxruntime-node") };
let batches: Batches<unknown> | null = null;

const methods: Record<string, (args: { shape: unknown; output: string }) => Promise<unknown>> = {
  /** Resolves to the cost from loaded libraries to an open device or session. */
  async open() {
    // Not at once: onnxruntime brings another Dawn.
    if (spec.navigatorGpu) await (await import("./navigator-gpu.ts")).provideNavigatorGpu(spec.adapter);
    else if (spec.implementation === "heddle") await import("webgpu");
    if (spec.implementation === "onnx") await place.onnxRuntime();
    const table: Record<string, () => Promise<{ open(place: Place): Promise<Implementation<never>> }>> = implementations[spec.work];
    const { open } = await table[spec.implementation]!();
    return timed(async () => {
      batches = new Batches((await open(place)) as Implementation<unknown>, spec.provider === "webgpu" ? driverCpuMs : () => null);
    }, wholeCpuMs);
  },
  /** Writes the resulting numbers to a file as raw f32; resolves to what they cost. */
  async prepare({ shape, output }) {
    let numbers: Float32Array = new Float32Array();
    const cost = await timed(async () => (numbers = await batches!.prepare(shape)), wholeCpuMs);
    await writeFile(output, new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
    assertDriver();
    return cost;
  },
  repeat: () => batches!.repeat(),
  settle: () => untilQuiet(),
};

/** CPU time of all threads: JavaScript's has its part in whatever happens once. */
function wholeCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/** onnxruntime does not name its adapter. On Linux the process has loaded the wanted driver's library, or ran elsewhere. */
function assertDriver(): void {
  if (spec.driverLibrary === null || readFileSync("/proc/self/maps", "utf8").includes(spec.driverLibrary)) return;
  throw new Error(`it never loaded ${spec.driverLibrary}: it did not run on ${spec.adapter}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { method, ...args } = JSON.parse(line) as { method: string; shape: unknown; output: string };
  const answer = await methods[method]!(args).then(
    (result) => ({ result }),
    (error: unknown) => ({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
  if (!process.stdout.write(`${JSON.stringify(answer)}\n`)) await once(process.stdout, "drain");
}
// Native threads and devices of peers would keep the process, or crash it on the way out.
process.exit(0);

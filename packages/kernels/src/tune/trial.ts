import type { State } from "../device/device.ts";
import { politely } from "../device/polite-wait.ts";
import type { Design, Site } from "../program/design.ts";
import { toFloat16 } from "../program/float16.ts";
import { sizeOf, type HostTensor, type TensorType } from "../program/types.ts";
import { interpret } from "../reference/interpreter.ts";
import type { NdArray } from "../reference/ndarray.ts";
import type { WebGpuDevice } from "../webgpu/device.ts";
import { WebGpuExecutable } from "../webgpu/executable.ts";
import { pcg3d } from "../ops/dropout/random.ts";
import type { Trial } from "./choose.ts";
import { siteProgram } from "./site-program.ts";

/** What right designs may differ by, relative to the largest number of the result or to 1. */
const TOLERANCE = 5e-5;
/** What the interpreter does in a few tenths of a second, in operations and bytes. */
const MAX_REFERENCE_WORK = 2 ** 24;

/** A site with data on a device, for trying its designs. */
export class TrialSite {
  private readonly data: readonly HostTensor[];
  private readonly states: readonly State[];
  private wanted: Promise<readonly ArrayLike<number>[]> | null = null;

  constructor(
    private readonly device: WebGpuDevice,
    private readonly site: Site,
    /** Of one run: arithmetic and bytes. */
    private readonly work: number,
  ) {
    this.data = site.inputs.map((type, i) => ({ shape: type.shape, data: sample(type, i) }));
    this.states = device.createStates(site.inputs.map((type, i) => ({ name: `tune/${i}`, type })));
  }

  fill(): void {
    this.states.forEach((state, i) => state.write(this.data[i]!.data));
  }

  open(design: Design): Trial {
    const executable = this.prepare(design);
    let expectedMs = 0;
    return {
      compile: async () => void (await run(this.device, executable, 1, 0)),
      check: async () => difference(await this.expected(), await resultsOf(executable), design.tolerance),
      time: async (repeats) => {
        const elapsedMs = await run(this.device, executable, repeats, expectedMs * repeats);
        expectedMs = elapsedMs / repeats;
        return elapsedMs;
      },
      dispose: () => executable.dispose(),
    };
  }

  dispose(): void {
    for (const state of this.states) state.dispose();
  }

  private prepare(design: Design): WebGpuExecutable {
    return new WebGpuExecutable(this.device, siteProgram(this.site, this.states), { of: () => design });
  }

  private expected(): Promise<readonly ArrayLike<number>[]> {
    this.wanted ??= this.compute();
    return this.wanted;
  }

  private async compute(): Promise<readonly ArrayLike<number>[]> {
    if (this.work <= MAX_REFERENCE_WORK) {
      const read = (state: State) => ({ dtype: state.type.dtype, ...this.data[this.states.indexOf(state)]! }) as NdArray;
      return Object.values(interpret(siteProgram(this.site, this.states), {}, read, "f64").outputs).map(({ data }) => data);
    }
    const naive = this.prepare(this.site.op.tunable!.naive);
    try {
      return await resultsOf(naive);
    } finally {
      naive.dispose();
    }
  }
}

/** Submits so many runs at once; milliseconds until the queue is empty again. */
async function run(device: WebGpuDevice, executable: WebGpuExecutable, repeats: number, expectedMs: number): Promise<number> {
  const pipelines = await executable.buildPipelines();
  const commands = executable.record(pipelines, {});
  const { gpu } = device;
  const queue = device.submitter(executable.program.name);
  const startMs = performance.now();
  for (let i = 0; i < repeats; i++) {
    for (const command of commands) queue.add(command);
  }
  queue.flush();
  // By what this design took before, and much less: the end of the batch must not be slept through.
  await politely(gpu.profile, expectedMs / 2);
  await gpu.guardLost(gpu.device.queue.onSubmittedWorkDone());
  return performance.now() - startMs;
}

async function resultsOf(executable: WebGpuExecutable): Promise<HostTensor["data"][]> {
  const outputs = await executable.run({});
  return Object.values(outputs).map(({ data }) => data);
}

/** Why `actual` is not what was `wanted`; null where it is. */
export function difference(wanted: readonly ArrayLike<number>[], actual: readonly ArrayLike<number>[], tolerance = TOLERANCE): string | null {
  for (const [output, right] of wanted.entries()) {
    const values = actual[output]!;
    let scale = 1;
    for (let i = 0; i < right.length; i++) scale = Math.max(scale, Math.abs(right[i]!));
    for (let i = 0; i < right.length; i++) {
      // Written so that NaN is wrong.
      if (!(Math.abs(values[i]! - right[i]!) <= tolerance * scale)) return `output ${output} has ${values[i]} at ${i}, where ${right[i]} is right`;
    }
  }
  return null;
}

/** Numbers in [-1, 1), the same each time. Integers are 0: a valid index everywhere. */
function sample({ dtype, shape }: TensorType, input: number): HostTensor["data"] {
  const size = sizeOf(shape);
  if (dtype === "i32") return new Int32Array(size);
  if (dtype === "u32") return new Uint32Array(size);
  const floats = Float32Array.from({ length: size }, (_, i) => pcg3d(i, 1, input)[0] / 2 ** 31 - 1);
  return dtype === "f32" ? floats : toFloat16(floats);
}

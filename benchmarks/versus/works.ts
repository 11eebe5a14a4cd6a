import { HeddleError } from "@heddle/kernels";
import { benchmarkMatmul } from "./matmul.ts";
import { benchmarkMinilm } from "./minilm.ts";
import { benchmarkMinilmOnCpu } from "./minilm-cpu.ts";
import { benchmarkMinilmTraining } from "./minilm-train.ts";
import { benchmarkNanoGptTraining } from "./nanogpt-train.ts";
import type { Work } from "./work.ts";

export type DeviceKind = "cpu" | "webgpu";

interface Entry {
  readonly work: Work;
  /** Heddle's device; with several, the work runs on each. */
  readonly devices: readonly DeviceKind[];
  /** Whether PyTorch has a part in it. */
  readonly pytorch: boolean;
  /** Whether a browser can be its stage. */
  readonly browser: boolean;
}

export const works: Readonly<Record<string, Entry>> = {
  matmul: { work: benchmarkMatmul, devices: ["webgpu"], pytorch: false, browser: true },
  minilm: { work: benchmarkMinilm, devices: ["webgpu"], pytorch: true, browser: true },
  "minilm-cpu": { work: benchmarkMinilmOnCpu, devices: ["cpu"], pytorch: true, browser: false },
  "minilm-train-cpu": { work: benchmarkMinilmTraining, devices: ["cpu"], pytorch: true, browser: false },
  "nanogpt-train": { work: benchmarkNanoGptTraining, devices: ["cpu", "webgpu"], pytorch: true, browser: false },
};

/** A work on one device. */
export interface Chosen {
  readonly name: string;
  readonly device: DeviceKind;
}

export interface Wish {
  /** `--only`; every work by default. */
  readonly only?: string | undefined;
  /** `--device`; every device that a work runs on by default. */
  readonly device?: string | undefined;
  /** `--browser` */
  readonly browser?: boolean | undefined;
}

/** Throws INVALID_ARGUMENT with the fix. */
export function chooseWorks({ only, device, browser = false }: Wish): Chosen[] {
  if (device !== undefined && device !== "cpu" && device !== "webgpu") throw new HeddleError("INVALID_ARGUMENT", `[bench:versus] no --device is called ${device}; choose cpu or webgpu`);
  if (only !== undefined && !works[only]) throw new HeddleError("INVALID_ARGUMENT", `[bench:versus] no work is called ${only}; there are ${Object.keys(works).join(", ")}`);
  if (browser && device === "cpu") throw new HeddleError("INVALID_ARGUMENT", "[bench:versus] --browser compares WebGPU: leave --device out");
  const able = Object.keys(works).filter((name) => !browser || works[name]!.browser);
  if (only !== undefined && !able.includes(only)) throw new HeddleError("INVALID_ARGUMENT", `[bench:versus] ${only} does not run with --browser; there are ${able.join(", ")}`);
  const names = only === undefined ? able : [only];
  const chosen = names.flatMap((name) => works[name]!.devices.filter((own) => device === undefined || own === device).map((own) => ({ name, device: own })));
  if (chosen.length === 0) throw new HeddleError("INVALID_ARGUMENT", `[bench:versus] ${only} does not run on --device ${device}, only on ${works[only!]!.devices.join(" and ")}: leave --device out`);
  return chosen;
}

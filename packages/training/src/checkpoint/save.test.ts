import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import * as nodeFileSystem from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReferenceDevice } from "@heddle/kernels";
import { loadModel } from "@heddle/transformer";
import { expect, it } from "vitest";
import { OptimizerStates } from "../optimizer-states.ts";
import { tinyModel, weightsOf } from "../testing/tiny.ts";
import { findCheckpoint, listCheckpoints } from "./folders.ts";
import { readTrainerState, restoreOptimizer } from "./load.ts";
import { saveCheckpoint } from "./save.ts";
import type { TrainerState } from "./trainer-state.ts";

const stateOf = (step: number): TrainerState => ({
  global_step: step, epoch: 0.5, max_steps: 9, best_metric: null, best_model_checkpoint: null, log_history: [{ step: 1, loss: 0.5 }],
  heddle: { version: 1, architecture: "x", dataset_fingerprint: "y", data_position: { seed: 1, epoch: 0, batch: 2 }, steps_since_log: 0, evaluation_due: false, arguments: { seed: 1 } },
});

/** A disk that is full after so many bytes. */
function fillingUp(bytes: number): typeof nodeFileSystem {
  let left = bytes;
  const openFile = async (...args: Parameters<typeof open>) => {
    const handle = await open(...args);
    const write = handle.write.bind(handle) as (buffer: Uint8Array, offset: number, length: number) => Promise<{ bytesWritten: number }>;
    return Object.assign(handle, {
      write: (buffer: Uint8Array, offset: number, length: number) => {
        left -= length;
        return left < 0 ? Promise.reject(Object.assign(new Error("no space left on device"), { code: "ENOSPC" })) : write(buffer, offset, length);
      },
    });
  };
  return { ...nodeFileSystem, open: openFile as typeof open };
}

it("a full disk at any moment leaves the earlier checkpoint whole and nothing else", { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "heddle-save-"));
  try {
    const device = new ReferenceDevice();
    const model = tinyModel(device);
    const optimizer = new OptimizerStates(device, [...model.parameters], { average: false, accumulate: false });
    optimizer.lossSum.write(Float32Array.of(7));
    const earlier = await saveCheckpoint(folder, { model, optimizer: optimizer.saved, state: stateOf(4), files: {} });
    const weights = await weightsOf(model);
    let failures = 0;
    for (let bytes = 0; ; bytes += 1500) {
      const saved = await saveCheckpoint(folder, { model, optimizer: optimizer.saved, state: stateOf(8), files: {} }, fillingUp(bytes)).catch((error: unknown) => error);
      if (typeof saved === "string") break;
      failures++;
      expect(saved).toMatchObject({ code: "DISK_FULL" });
      expect(await readdir(folder)).toEqual(["checkpoint-4"]);
    }
    expect(failures).toBeGreaterThan(5);
    expect((await listCheckpoints(folder)).map(({ step }) => step)).toEqual([4, 8]);
    expect(await findCheckpoint(true, folder)).toBe(join(folder, "checkpoint-8"));
    expect(await readTrainerState(earlier)).toEqual(stateOf(4));
    const { model: loaded } = await loadModel(new ReferenceDevice(), earlier);
    expect(await weightsOf(loaded)).toEqual(weights);
    optimizer.lossSum.write(Float32Array.of(0));
    await restoreOptimizer(earlier, optimizer.saved);
    expect([...(await device.readStates([optimizer.lossSum]))[0]!]).toEqual([7]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

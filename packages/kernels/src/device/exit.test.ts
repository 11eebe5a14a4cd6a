import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);

/** Runs a program that has `openGpu`; rejects when it crashes, fails or does not end by itself. */
async function ends(body: string): Promise<string> {
  const program = `import { openGpu } from ${JSON.stringify(new URL("./gpu.ts", import.meta.url).href)};\n${body}`;
  const { stdout } = await run(process.execPath, ["--expose-gc", "--import", "tsx", "--input-type=module", "--eval", program], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    timeout: 40_000,
  });
  return stdout.trim();
}

const WORK = `
const gpu = await openGpu();
const { buffer } = gpu.pool.allocate("x", 64, 0x88);
gpu.device.queue.writeBuffer(buffer, 0, new Float32Array(16));
await gpu.device.queue.onSubmittedWorkDone();
`;

describe("a process that used a GPU ends by itself, with code 0", () => {
  it("after dispose", async () => {
    expect(await ends(`${WORK} gpu.dispose(); console.log("done")`)).toBe("done");
  });

  it("without dispose", async () => {
    expect(await ends(`${WORK} console.log("done")`)).toBe("done");
  });

  it("after dispose with a promise pending, a garbage collection, and a use of the dead device", async () => {
    const body = `${WORK}
      const pending = gpu.device.queue.onSubmittedWorkDone().catch(() => {});
      gpu.dispose();
      for (let i = 0; i < 5; i++) { globalThis.gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
      gpu.device.queue.writeBuffer(buffer, 0, new Float32Array(16));
      await pending;
      console.log("done")`;
    expect(await ends(body)).toBe("done");
  });

  it("by process.exit in the middle of work", async () => {
    expect(await ends(`${WORK} void gpu.device.queue.onSubmittedWorkDone(); console.log("done"); process.exit(0)`)).toBe("done");
  });
});

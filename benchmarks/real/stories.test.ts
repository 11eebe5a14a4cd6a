import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openDevice } from "@heddle/kernels";
import { TextGenerator } from "@heddle/tasks";
import { describe, expect, it } from "vitest";
import { areHere, data } from "./files.ts";

interface Run {
  readonly prompt: string;
  readonly prompt_ids: number[];
  readonly ids: number[];
  readonly text: string;
}

const folder = data("checkpoints/stories260K");

describe.runIf(areHere(folder))("stories260K, a Llama that writes", () => {
  it.each(["webgpu", "cpu"] as const)("gives Python's texts on %s, three at once as one by one", async (name) => {
    const { runs } = JSON.parse(readFileSync(join(folder, "golden.json"), "utf8")) as { runs: Run[] };
    const device = await openDevice({ device: name });
    using generator = await TextGenerator.fromPretrained(folder, { device });
    for (const { prompt, prompt_ids: promptIds, ids, text } of runs) {
      expect(generator.encode(prompt)).toEqual(promptIds);
      const written = await generator.generate(prompt, { maxNewTokens: ids.length - promptIds.length });
      expect([...promptIds, ...written.tokens]).toEqual(ids);
      expect(prompt + written.text).toBe(text);
    }
    const together = await generator.generate(runs.map(({ prompt }) => prompt), { maxNewTokens: 100 });
    together.forEach(({ tokens }, i) => expect(tokens).toEqual(runs[i]!.ids.slice(runs[i]!.prompt_ids.length).slice(0, 100)));
    device.dispose();
  });
});

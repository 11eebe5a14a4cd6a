import { expect, it } from "vitest";
import { openDevice } from "../device/open.ts";
import { compile } from "../program/compile.ts";
import { doubled, doubling, FAST, SLOW } from "../testing/doubling.ts";
import type { TuneEvent } from "./tune-program.ts";

// Designs that no busy machine mistakes for each other: of close ones the tuner rightly says that it cannot tell.
it("measures in a page, and remembers in its database", async () => {
  const run = async (): Promise<{ types: TuneEvent["type"][]; ran: string }> => {
    const types: TuneEvent["type"][] = [];
    const lowered: string[] = [];
    const device = await openDevice({ device: "webgpu", tune: "full", tuneBudgetMs: 60_000, onTune: ({ type }) => types.push(type) });
    using double = compile(device, "double", doubled(doubling([SLOW, FAST], { lowered })));
    const { y } = await double.run({ x: { shape: [3], data: Float32Array.of(1, 2, 3) } });
    expect([...y!.data]).toEqual([2, 4, 6]);
    device.dispose();
    return { types, ran: lowered.at(-1)! };
  };
  expect(await run()).toEqual({ types: ["start", "measured"], ran: "fast" });
  expect(await run()).toEqual({ types: [], ran: "fast" });
});

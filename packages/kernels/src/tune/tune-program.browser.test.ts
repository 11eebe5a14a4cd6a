import { expect, it } from "vitest";
import { openDevice } from "../device/open.ts";
import { matmul } from "../ops/matmul/op.ts";
import { compile } from "../program/compile.ts";
import type { TracedFunction } from "../program/trace.ts";
import { expectClose, randomTensor, reference } from "../testing/check.ts";
import type { TuneEvent } from "./tune-program.ts";

it("measures in a page, and remembers in its database", async () => {
  const product: TracedFunction = ({ a, b }) => ({ y: matmul(a!, b!) });
  const inputs = { a: randomTensor([32, 64], 1), b: randomTensor([64, 32], 2) };
  const measured = async (): Promise<TuneEvent[]> => {
    const events: TuneEvent[] = [];
    const device = await openDevice({ device: "webgpu", tune: "full", tuneBudgetMs: 60_000, onTune: (event) => events.push(event) });
    using f = compile(device, "product", product);
    expectClose((await f.run(inputs))["y"]!.data, reference(product, inputs)["y"]!.data, 1e-5, "y");
    device.dispose();
    return events;
  };
  expect((await measured()).map(({ type }) => type)).toEqual(["start", "measured"]);
  expect(await measured()).toEqual([]);
});

import { HeddleError, ReferenceDevice } from "@heddle/kernels";
import type { Model } from "@heddle/transformer";
import { describe, expect, it } from "vitest";
import { HeldModel } from "./held-model.ts";

const lost = () => new HeddleError("DEVICE_LOST", "[webgpu] gone");

/** Models without a device, that say when they come and go. */
async function hold(device?: ReferenceDevice) {
  const events: string[] = [];
  let loads = 0;
  const load = () => {
    const number = ++loads;
    events.push(`load ${number}`);
    return Promise.resolve({ model: { dispose: () => events.push(`free ${number}`) } as unknown as Model });
  };
  const held = await HeldModel.open({ ...(device && { device }) }, load, "test");
  held.forget = () => events.push("forget");
  return { held, events };
}

async function* tokens(from: number, to: number, error?: Error) {
  for (let token = from; token < to; token++) yield { row: 0, token };
  if (error) throw error;
}

describe("HeldModel", () => {
  it("does work again with a model that is loaded anew, once for all who noticed", async () => {
    const { held, events } = await hold();
    const first = held.loaded;
    const work = (loaded: typeof first) => (loaded === first ? Promise.reject(lost()) : Promise.resolve("done"));
    expect(await Promise.all([held.run(work), held.run(work)])).toEqual(["done", "done"]);
    expect([events, held.isCurrent(first.model), held.isCurrent(held.loaded.model)]).toEqual([["load 1", "forget", "free 1", "load 2"], false, true]);
    await expect(held.run(() => Promise.reject(lost()))).rejects.toThrow("gone");
    held.dispose();
    held.dispose();
    expect(events.slice(4)).toEqual(["forget", "free 2", "load 3", "forget", "free 3"]);
    expect(() => held.loaded).toThrow(expect.objectContaining({ code: "DISPOSED" }));
  });

  it("goes on with a text after the tokens that it has, and gives up where none comes", async () => {
    const { held } = await hold();
    const found: number[] = [];
    for await (const { token } of held.write((_, chosen) => tokens(chosen.length, chosen.length + 2, chosen.length < 4 ? lost() : undefined))) found.push(token);
    expect(found).toEqual([0, 1, 2, 3, 4, 5]);
    await expect(held.write(() => tokens(0, 0, lost())).next()).rejects.toThrow("gone");
  });

  it("leaves a device of the caller's to the caller, and other errors as they are", async () => {
    const { held, events } = await hold(new ReferenceDevice());
    await expect(held.run(() => Promise.reject(lost()))).rejects.toThrow("gone");
    await expect((await hold()).held.run(() => Promise.reject(new Error("other")))).rejects.toThrow("other");
    expect(events).toEqual(["load 1"]);
  });
});

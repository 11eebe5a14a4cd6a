import { expect, it } from "vitest";
import type { Answer, Request } from "../testing/generation-worker.ts";

it("streams in a worker, stops within a token, and frees its memory when closed", async () => {
  const worker = new Worker(new URL("../testing/generation-worker.ts", import.meta.url), { type: "module" });
  const ask = (request: Request) => worker.postMessage(request);
  const heard: Answer[] = [];
  let wake = () => {};
  worker.onmessage = ({ data }: MessageEvent<Answer>) => {
    heard.push(data);
    wake();
  };
  const failed = new Promise<never>((_, reject) => (worker.onerror = ({ message }) => reject(new Error(message))));
  /** The next answer that is of such a kind, with those before it. */
  const until = async (type: Answer["type"]): Promise<Answer[]> => {
    for (;;) {
      const at = heard.findIndex((answer) => answer.type === type);
      if (at >= 0) return heard.splice(0, at + 1);
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), failed]);
    }
  };
  await until("ready");

  ask({ type: "write", prompt: "the parcel", tokens: 12 });
  const whole = await until("end");
  expect(whole.filter(({ type }) => type === "piece")).toHaveLength(12);
  expect(whole.at(-1)).toEqual({ type: "end", code: undefined });

  ask({ type: "write", prompt: "the box", tokens: 200 });
  await until("piece");
  ask({ type: "stop" });
  const rest = await until("end");
  expect(rest.at(-1)).toEqual({ type: "end", code: "ABORTED" });
  // One may be on its way already, and one be chosen when the message comes.
  expect(rest.filter(({ type }) => type === "piece").length).toBeLessThanOrEqual(2);

  ask({ type: "close" });
  expect((await until("closed")).at(-1)).toEqual({ type: "closed", heldBytes: 0 });
  worker.terminate();
});

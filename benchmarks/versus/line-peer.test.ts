import { describe, expect, it } from "vitest";
import { LinePeer, parseAnswer } from "./line-peer.ts";

/** A peer in JavaScript: `answer` is the body of a function of the request. */
const start = (answer: string) =>
  new LinePeer("peer", process.execPath, ["-e", `require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => { const request = JSON.parse(line); ${answer} })`]);
const say = (value: string) => `console.log(JSON.stringify(${value}));`;

describe("LinePeer", () => {
  it("gets its answers in the order of its calls", async () => {
    const peer = start(say("{ result: request }"));
    expect(await Promise.all([peer.call("first", { size: 3 }), peer.call("second")])).toEqual([{ method: "first", size: 3 }, { method: "second" }]);
    await peer.close();
  });

  it("answers what waits before it closes, and nothing after", async () => {
    const peer = start(`setTimeout(() => { ${say("{ result: 1 }")} }, 50)`);
    const last = peer.call("slow");
    await peer.close();
    expect(await last).toBe(1);
    await expect(peer.call("late")).rejects.toMatchObject({ code: "RUNTIME_FAILED", message: expect.stringMatching(/^\[peer\] it ended with exit code 0/) });
  });

  it("passes on the peer's own errors and goes on", async () => {
    const peer = start(`if (request.method === "good") ${say("{ result: null }")} else ${say(`{ error: "no such thing" }`)}`);
    await expect(peer.call("bad")).rejects.toMatchObject({ code: "RUNTIME_FAILED", message: "[peer] no such thing" });
    expect(await peer.call("good")).toBeNull();
    await peer.close();
  });

  it("tells what a peer said before it died to every call that waits", async () => {
    const peer = start(`console.error("out of memory"); process.exit(3)`);
    const calls = [peer.call("a"), peer.call("b")];
    for (const call of calls) await expect(call).rejects.toThrow("[peer] it ended with exit code 3; its last words: out of memory");
    await peer.close();
  });

  it("ends a peer that talks nonsense, and quotes it", async () => {
    const peer = start(`console.log("Loading weights: 100%")`);
    await expect(peer.call("a")).rejects.toThrow('[peer] it answered "Loading weights: 100%", which is not a line of the protocol');
    await peer.close();
  });

  it("fails the first call where there is no such program", async () => {
    const peer = new LinePeer("peer", "heddle-no-such-program", []);
    await expect(peer.call("a")).rejects.toThrow(/^\[peer\] spawn heddle-no-such-program ENOENT/);
    await peer.close();
  });
});

it("parseAnswer takes results and errors, and nothing else", () => {
  expect(parseAnswer('{"result":{"milliseconds":1.5}}')).toEqual({ result: { milliseconds: 1.5 } });
  expect(parseAnswer('{"result":null}')).toEqual({ result: null });
  expect(parseAnswer('{"error":"why"}')).toEqual({ error: "why" });
  for (const line of ["", "null", "3", "[]", "{}", '{"error":3}', '{"result":', "loading"]) expect(parseAnswer(line), line).toBeNull();
});

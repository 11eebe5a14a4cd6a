import type { Answers, Request, Response } from "./protocol.ts";

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

interface Pending {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** Talks to the worker that holds the model. */
export class Client {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private readonly pending = new Map<number, Pending>();
  private nextId = 0;

  constructor() {
    this.worker.addEventListener("message", ({ data }: MessageEvent<Response>) => {
      const pending = this.pending.get(data.id);
      this.pending.delete(data.id);
      if (data.type === "answer") pending?.resolve(data.answer);
      else pending?.reject(new Error(data.message));
    });
    this.worker.addEventListener("error", (event) => {
      for (const { reject } of this.pending.values()) reject(new Error(event.message || "The worker stopped; reload the page"));
      this.pending.clear();
    });
  }

  ask<T extends keyof Answers>(request: Extract<WithoutId<Request>, { type: T }>): Promise<Answers[T]> {
    const id = this.nextId++;
    return new Promise<Answers[T]>((resolve, reject) => {
      this.pending.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.worker.postMessage({ ...request, id });
    });
  }
}

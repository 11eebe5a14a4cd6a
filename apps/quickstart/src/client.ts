import type { Answers, FitEvent, Request, Response } from "./protocol.ts";

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

interface Pending {
  resolve(answer: unknown): void;
  reject(error: Error): void;
  onEvent?: (event: FitEvent) => void;
}

/** Talks to the worker that holds the model, so that the page stays responsive while it trains. */
export class Client {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private readonly pending = new Map<number, Pending>();
  private nextId = 0;

  constructor() {
    this.worker.addEventListener("message", ({ data }: MessageEvent<Response>) => this.receive(data));
    this.worker.addEventListener("error", (event) => {
      for (const { reject } of this.pending.values()) reject(new Error(event.message || "The worker stopped; reload the page"));
      this.pending.clear();
    });
  }

  ask<T extends keyof Answers>(request: Extract<WithoutId<Request>, { type: T }>, onEvent?: (event: FitEvent) => void): Promise<Answers[T]> {
    const id = this.nextId++;
    return new Promise<Answers[T]>((resolve, reject) => {
      this.pending.set(id, { resolve: resolve as (answer: unknown) => void, reject, ...(onEvent && { onEvent }) });
      this.worker.postMessage({ ...request, id });
    });
  }

  private receive(response: Response): void {
    const pending = this.pending.get(response.id);
    if (!pending) return;
    if (response.type === "event") {
      pending.onEvent?.(response.event);
      return;
    }
    this.pending.delete(response.id);
    if (response.type === "answer") pending.resolve(response.answer);
    else pending.reject(Object.assign(new Error(response.message), { code: response.code }));
  }
}

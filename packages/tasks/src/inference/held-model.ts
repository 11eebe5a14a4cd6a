import { HeddleError } from "@heddle/kernels";
import type { GeneratedToken, Model } from "@heddle/transformer";
import { HeldDevice } from "./device.ts";
import type { LoadingOptions } from "./loading.ts";

interface Opened<T> {
  readonly loaded: T;
  /** Disposes of the device where it was opened here. */
  release(): void;
}

/**
 * A model that writes, on a device that may be lost: then both are opened anew, where the device was opened here. A device of the caller's
 * is the caller's to replace.
 */
export class HeldModel<T extends { readonly model: Model }> {
  /** Frees what its owner keeps on the device beside the model: caches, programs. Called before the model is freed, and when its device was lost. */
  forget: () => void = () => {};
  #reviving: Promise<void> | null = null;
  #disposed = false;

  private constructor(
    private opened: Opened<T>,
    private readonly reopen: (() => Promise<Opened<T>>) | null,
    private readonly name: string,
  ) {}

  /**
   * @param load brings the model to a device; options are the caller's, or later without the signal, which was for the first time alone
   * @param name for errors
   */
  static async open<T extends { readonly model: Model }, O extends LoadingOptions>({ device, ...options }: O, load: (held: HeldDevice, options: Omit<O, "device">) => Promise<T>, name: string): Promise<HeldModel<T>> {
    const open = async (given: Omit<O, "device">): Promise<Opened<T>> => {
      const held = new HeldDevice(device, options.log);
      try {
        return { loaded: await load(held, given), release: () => held.release() };
      } catch (error) {
        held.release();
        throw error;
      }
    };
    const { signal: _, ...later } = options;
    return new HeldModel(await open(options), typeof device === "object" ? null : () => open(later as Omit<O, "device">), name);
  }

  /** Throws DISPOSED. */
  get loaded(): T {
    if (this.#disposed) throw new HeddleError("DISPOSED", `[${this.name}] the model was disposed: load it again`);
    return this.opened.loaded;
  }

  /** Whether this is the model in use: not disposed of, nor on a device that was lost. */
  isCurrent(model: Model): boolean {
    return !this.#disposed && model === this.opened.loaded.model;
  }

  /** Does some work; from the beginning where the device is lost under it. */
  async run<R>(work: (loaded: T) => Promise<R>): Promise<R> {
    const { loaded } = this;
    try {
      return await work(loaded);
    } catch (error) {
      await this.#revive(error, loaded);
      return work(this.loaded);
    }
  }

  /**
   * The tokens of one text; where the device is lost in the middle, the text goes on with a model that is loaded anew.
   *
   * @param write goes on after tokens that are chosen already
   */
  async *write(write: (loaded: T, chosen: readonly number[]) => AsyncIterable<GeneratedToken>): AsyncGenerator<GeneratedToken, void, undefined> {
    const chosen: number[] = [];
    for (let lostAt = -1; ; lostAt = chosen.length) {
      const { loaded } = this;
      try {
        for await (const next of write(loaded, chosen)) {
          chosen.push(next.token);
          yield next;
        }
        return;
      } catch (error) {
        // Twice at the same token: the next device would be lost as well.
        if (lostAt === chosen.length) throw error;
        await this.#revive(error, loaded);
      }
    }
  }

  /** Throws the error where it is not that the device was lost, or where nothing can be done about that. */
  async #revive(error: unknown, lost: T): Promise<void> {
    if (!this.reopen || this.#disposed || !HeddleError.isInstance(error) || error.code !== "DEVICE_LOST") throw error;
    // Another text may have noticed before.
    if (lost !== this.opened.loaded) return;
    this.#reviving ??= this.#openAnew(this.reopen).finally(() => (this.#reviving = null));
    await this.#reviving;
  }

  async #openAnew(reopen: () => Promise<Opened<T>>): Promise<void> {
    this.#close();
    const opened = await reopen();
    this.opened = opened;
    if (this.#disposed) this.#close();
  }

  #close(): void {
    this.forget();
    this.opened.loaded.model.dispose();
    this.opened.release();
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (!this.#reviving) this.#close();
  }
}

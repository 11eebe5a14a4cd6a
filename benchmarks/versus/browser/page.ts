import { Batches } from "../batch.ts";
import type { Implementation, OnnxRuntime, Place } from "../implementations/implementation.ts";
import { implementations } from "../implementations/table.ts";
import type { SideSpec } from "../stage.ts";
import type { Repetition } from "../turns.ts";

// One implementation in a page of its own; side.ts calls these from Node.

export interface PageApi {
  open(spec: SideSpec): Promise<void>;
  /** Raw f32 in base64. */
  prepare(shape: unknown): Promise<string>;
  repeat(): Promise<Repetition>;
}

let batches: Batches<unknown> | null = null;

const api: PageApi = {
  async open(spec) {
    const place: Place = { ...spec, onnxRuntime: async () => (await import("onnxruntime-web/webgpu")) as unknown as OnnxRuntime };
    const table: Record<string, () => Promise<{ open(place: Place): Promise<Implementation<never>> }>> = implementations[spec.work];
    const { open } = await table[spec.implementation]!();
    batches = new Batches((await open(place)) as Implementation<unknown>, () => null);
  },
  async prepare(shape) {
    const { buffer, byteOffset, byteLength } = await batches!.prepare(shape);
    return base64(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
  },
  repeat: () => batches!.repeat(),
};

function base64(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve((reader.result as string).split(",")[1] ?? "");
    reader.readAsDataURL(new Blob([bytes]));
  });
}

Object.assign(globalThis, { versus: api });

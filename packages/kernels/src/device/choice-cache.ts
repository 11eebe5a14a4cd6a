import { Remembered } from "./remembered/remembered.ts";

/** What was measured to be faster. */
export interface RememberedChoice {
  readonly kind: "cpu" | "webgpu";
  readonly reason: string;
}

const choices = Remembered.named<RememberedChoice>("device-choices", (value) => {
  const { kind, reason } = (value ?? {}) as Partial<RememberedChoice>;
  return (kind === "cpu" || kind === "webgpu") && typeof reason === "string" ? { kind, reason } : undefined;
});

export async function rememberedChoice(key: string): Promise<RememberedChoice | undefined> {
  return (await choices.entries()).get(key);
}

export async function rememberChoice(key: string, choice: RememberedChoice): Promise<void> {
  await choices.keep([[key, choice]]);
}

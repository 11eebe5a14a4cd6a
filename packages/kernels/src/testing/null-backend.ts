/** Held for as long as the process lives: Node crashes when an instance of Dawn is collected before its devices. */
const instances: GPU[] = [];

/** Dawn's null backend: it has every feature and no GPU, and reads WGSL and bindings as a real one does. */
export async function nullBackend(): Promise<GPU> {
  const { create } = await import("webgpu");
  const instance = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  instances.push(instance);
  return instance;
}

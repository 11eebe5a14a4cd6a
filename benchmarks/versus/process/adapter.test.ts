import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { driverOf } from "./adapter.ts";

let folder: string;
let icd: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-icd-"));
  icd = join(folder, "software_icd.json");
  await writeFile(icd, JSON.stringify({ ICD: { library_path: "./libvk_software.so" } }));
});
afterAll(() => rm(folder, { recursive: true }));

it("gives processes the driver that Heddle found, by itself or by VK_DRIVER_FILES", async () => {
  for (const source of [icd, `VK_DRIVER_FILES=${icd}`]) {
    const { environment, driverLibrary } = driverOf(source, { HOME: "/home/a", HEDDLE_DAWN_TOGGLES: "disable_robustness", HEDDLE_DEVICE: "cpu" });
    expect(environment).toEqual({ HOME: "/home/a", VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd });
    expect(driverLibrary).toBe("libvk_software.so");
  }
});

it("adds the loader that lies beside the driver to the libraries' path", async () => {
  await writeFile(join(folder, "libvulkan.so.1"), "");
  expect(driverOf(icd, { LD_LIBRARY_PATH: "/opt/lib" }).environment["LD_LIBRARY_PATH"]).toBe(`/opt/lib:${folder}`);
});

it("changes nothing where the system chose", () => {
  for (const source of ["the system's Vulkan drivers", "navigator.gpu", "/nowhere/icd.json"]) expect(driverOf(source, { HOME: "/" })).toEqual({ environment: { HOME: "/" }, driverLibrary: null });
});

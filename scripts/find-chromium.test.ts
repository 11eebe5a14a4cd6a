import { expect, it } from "vitest";
import { findChromium } from "./find-chromium.mjs";

const machine = (platform: string, env: Record<string, string>, files: string[]) => ({
  platform,
  env,
  exists: (path: string) => files.includes(path),
});

it("takes the program named by CHROMIUM_PATH before any other", () => {
  const files = ["/opt/mine", "/usr/bin/chromium"];
  expect(findChromium(machine("linux", { CHROMIUM_PATH: "/opt/mine", PATH: "/usr/bin" }, files))).toBe("/opt/mine");
});

it("says what is wrong with a CHROMIUM_PATH that leads nowhere", () => {
  expect(() => findChromium(machine("linux", { CHROMIUM_PATH: "/opt/mine" }, ["/usr/bin/chromium"]))).toThrow(/CHROMIUM_PATH is \/opt\/mine/);
});

it("searches PATH, then the usual places", () => {
  expect(findChromium(machine("linux", { PATH: "/a:/b" }, ["/b/google-chrome"]))).toBe("/b/google-chrome");
  expect(findChromium(machine("linux", {}, ["/usr/bin/chromium"]))).toBe("/usr/bin/chromium");
  const mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
  expect(findChromium(machine("darwin", {}, [mac]))).toBe(mac);
});

it("finds nothing on a machine without one", () => {
  expect(findChromium(machine("linux", { PATH: "/a" }, []))).toBeUndefined();
});

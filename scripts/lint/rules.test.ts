import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "heddle-lint-"));
const snippets: { path: string; source: string }[] = [];
let objectionsByPath: Map<string, string[]>;

/** Registers a snippet as if it stood in a folder of the repository; oxlint reads all of them in one run. */
function snippet(place: string, source: string, extension = "ts"): () => string[] {
  const path = `${place}/snippet${snippets.length}.${extension}`;
  snippets.push({ path, source });
  return () => objectionsByPath.get(path) ?? [];
}

beforeAll(() => {
  cpSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  cpSync(join(root, "scripts/lint/plugin.mjs"), join(folder, "scripts/lint/plugin.mjs"));
  for (const { path, source } of snippets) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${source}\n`);
  }
  const command = [join(root, "node_modules/oxlint/bin/oxlint"), "--format", "json", "packages", "apps", "benchmarks"];
  const { stdout } = spawnSync(process.execPath, command, { cwd: folder, encoding: "utf8", maxBuffer: 2 ** 26 });
  const report = JSON.parse(stdout) as {
    number_of_files: number;
    diagnostics: { code: string; severity: string; filename: string }[];
  };
  expect(report.number_of_files).toBe(snippets.length);
  objectionsByPath = new Map();
  for (const { code, severity, filename } of report.diagnostics) {
    if (severity === "error") objectionsByPath.set(filename, [...(objectionsByPath.get(filename) ?? []), code]);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mayImport: Record<string, string[]> = {
  kernels: [],
  transformer: ["kernels"],
  training: ["transformer", "kernels"],
  tasks: ["training", "transformer", "kernels"],
  cli: ["tasks"],
};
const imported = "eslint(no-restricted-imports)";

describe("packages point one way", () => {
  for (const from of Object.keys(mayImport)) {
    for (const to of Object.keys(mayImport).filter((name) => name !== from)) {
      const allowed = mayImport[from]!.includes(to);
      const forms = [
        `import { a } from "@heddle/${to}";\nexport const b = a;`,
        `import type { A } from "@heddle/${to}";\nexport type B = A;`,
        `export * from "@heddle/${to}";`,
        `export const load = () => import("@heddle/${to}");`,
      ].map((source) => snippet(`packages/${from}/src`, source));
      it(`${from} ${allowed ? "may" : "may not"} import ${to}`, () => {
        for (const objections of forms) expect(objections()).toEqual(allowed ? [] : [imported]);
      });
    }
  }
});

describe("no relative path leads into another package", () => {
  for (const [place, specifier] of [
    ["packages/tasks/src", "../../kernels/src/index.ts"],
    ["packages/kernels/src/device", "../../../transformer/src/index.ts"],
    ["packages/transformer/src/families", "../../../kernels/dist/index.js"],
    ["apps/quickstart/src", "../../../packages/tasks/src/index.ts"],
    ["apps/storefront/training", "../../quickstart/src/client.ts"],
    ["benchmarks/parity", "../../packages/kernels/src/index.ts"],
  ] as const) {
    const objections = snippet(place, `export * from "${specifier}";`);
    it(`${place} → ${specifier}`, () => expect(objections()).toEqual([imported]));
  }

  for (const specifier of ["../kernels/matmul.ts", "./training.ts", "../../tasks.ts"]) {
    const objections = snippet("packages/transformer/src/nn", `export * from "${specifier}";`);
    it(`inside a package ${specifier} stays allowed`, () => expect(objections()).toEqual([]));
  }
});

describe("only kernels may contain", () => {
  for (const [what, source] of [
    ["WebGPU's types", "export const a: GPUDevice | undefined = undefined;"],
    ["WebGPU's constants", "export const a = GPUBufferUsage.STORAGE;"],
    ["WebGPU's entry", "export const a = navigator.gpu;"],
    ["a shader in a template", "export const a = `@compute @workgroup_size(64) fn main() {}`;"],
    ["a shader in a string", 'export const a = "var<storage, read> x: array<f32>;";'],
  ] as const) {
    const elsewhere = ["transformer", "training", "tasks", "cli"].map((name) => snippet(`packages/${name}/src`, source));
    const inKernels = snippet("packages/kernels/src", source);
    it(what, () => {
      for (const objections of elsewhere) expect(objections()).toContain("heddle(no-gpu)");
      expect(inKernels()).toEqual([]);
    });
  }
});

describe("libraries may not contain", () => {
  for (const [what, source, rule] of [
    ["any", "export const a = (b: any) => b;", "typescript(no-explicit-any)"],
    ["any by a cast", "export const a = 1 as any;", "typescript(no-explicit-any)"],
    ["@ts-ignore", "// @ts-ignore\nexport const a = 1;", "typescript(ban-ts-comment)"],
    ["the console", 'export const a = () => console.log("a");', "eslint(no-console)"],
    ["Math.random", "export const a = Math.random();", "eslint(no-restricted-properties)"],
    ["an inline import type", 'export type A = import("@heddle/tasks").A;', "heddle(no-inline-import-type)"],
    ["a note to do it later", `// ${"TO"}DO: later\nexport const a = 1;`, "eslint(no-warning-comments)"],
    ["more than 300 lines", "export {};\n".repeat(301), "eslint(max-lines)"],
  ] as const) {
    const libraries = ["kernels", "transformer", "training", "tasks"].map((name) => snippet(`packages/${name}/src`, source));
    it(what, () => {
      for (const objections of libraries) expect(objections()).toContain(rule);
    });
  }

  for (const name of ["kernels", "training"]) {
    const withFetch = snippet(`packages/${name}/src`, 'export const a = fetch("x");');
    const withHttp = snippet(`packages/${name}/src`, 'export * from "node:http";');
    it(`the network, in ${name}`, () => {
      expect(withFetch()).toEqual(["eslint(no-restricted-globals)"]);
      expect(withHttp()).toEqual([imported]);
    });
  }
});

describe("no test may be", () => {
  for (const [what, source, rule] of [
    ["skipped", 'import { expect, it } from "vitest";\nit.skip("a", () => expect(1).toBe(1));', "no-disabled-tests"],
    ["focused", 'import { expect, it } from "vitest";\nit.only("a", () => expect(1).toBe(1));', "no-focused-tests"],
    ["without an assertion", 'import { it } from "vitest";\nit("a", () => undefined);', "expect-expect"],
  ] as const) {
    const objections = snippet("packages/tasks/src", source, "test.ts");
    it(what, () => expect(objections().some((code) => code.includes(`(${rule})`))).toBe(true));
  }
});

import { mergeConfig, type ViteUserConfig } from "vitest/config";
import { nodeTests } from "../../vitest.shared.ts";

/** Drives the page in a real Chromium. */
const pages: ViteUserConfig = { test: { include: ["**/*.page.test.ts"], exclude: ["**/node_modules/**"], testTimeout: 240_000, hookTimeout: 240_000, expect: { poll: { timeout: 20_000 } } } };
const base = nodeTests("storefront-page");

export default mergeConfig({ ...base, test: { ...base.test, include: [], exclude: [] } }, pages);

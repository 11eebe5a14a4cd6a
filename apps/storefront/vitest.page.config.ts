import { pageTests } from "../../vitest.shared.ts";

export default pageTests("storefront", { hookTimeout: 240_000, expect: { poll: { timeout: 20_000 } } });

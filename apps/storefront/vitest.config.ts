import { nodeTests } from "../../vitest.shared.ts";

// The page's own tests need a Chromium; `npm test` runs them with vitest.page.config.ts where one is found.
export default nodeTests("storefront", ["**/*.page.test.ts"]);

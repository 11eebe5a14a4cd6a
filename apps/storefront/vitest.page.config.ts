import { pageTests } from "../../vitest.shared.ts";

export default pageTests("storefront");

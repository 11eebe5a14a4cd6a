import { fileURLToPath } from "node:url";
import { library } from "../../tsup.base.ts";

// Its entry imports Node's "fs", and says what browsers get by a field that esbuild does not look at beside `exports`.
const gguf = fileURLToPath(new URL("node_modules/@huggingface/gguf/dist/browser/index.mjs", import.meta.url));

export default library({ index: "src/index.ts" }, { "@huggingface/gguf": gguf });

// Run by a test, to be killed in the middle: downloads one file into a cache folder.
import { openModelFolder } from "../checkpoint/index.ts";

const [endpoint, cacheFolder, repository] = process.argv.slice(2);
await using folder = await openModelFolder(repository!, { endpoint: endpoint!, cacheFolder: cacheFolder!, onProgress: ({ file, receivedBytes }) => void process.send!({ file, receivedBytes }) });
const weights = await folder.weights();
for await (const { name } of weights.stream()) process.send!({ loaded: name });
process.disconnect();

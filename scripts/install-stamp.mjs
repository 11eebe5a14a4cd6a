import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Everything an installation depends on: which versions, and how pnpm lays them out. */
const sources = ["pnpm-lock.yaml", "pnpm-workspace.yaml"];

function fingerprint(root) {
  const hash = createHash("sha256").update(`${process.platform}-${process.arch}`);
  for (const name of sources) hash.update(readFileSync(join(root, name)));
  return hash.digest("hex");
}

const stampFile = (root) => join(root, "node_modules", ".heddle-install");

/** True when node_modules was installed to its end from the lockfile as it is now. */
export function isInstalled(root) {
  const file = stampFile(root);
  return existsSync(file) && readFileSync(file, "utf8") === fingerprint(root);
}

/** pnpm runs this file last (`postinstall` of the root), so that an interrupted installation leaves no stamp. */
export function stampInstallation(root) {
  writeFileSync(stampFile(root), fingerprint(root));
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  stampInstallation(fileURLToPath(new URL("../", import.meta.url)));
}

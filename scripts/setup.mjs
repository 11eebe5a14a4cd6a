import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isInstalled } from "./install-stamp.mjs";
import { root, run, runLocal } from "./run.mjs";

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Error(`Heddle needs Node 20.19 or newer; this is ${process.versions.node}. Install a newer one from nodejs.org.`);
}

/** npm and pnpm keep caches in the home folder; where that cannot be written, a temporary one serves. */
function temporaryHome() {
  try {
    accessSync(homedir(), constants.W_OK);
    return undefined;
  } catch {
    return mkdtempSync(join(tmpdir(), "heddle-home-"));
  }
}

/** Installs the dependencies when they are missing or older than the lockfile; otherwise does nothing. */
export async function install() {
  requireNode();
  if (isInstalled(root)) return;
  console.error("heddle: installing dependencies (once) …");
  const args = ["-y", manifest.packageManager, "install", "--frozen-lockfile", "--config.confirmModulesPurge=false"];
  const home = temporaryHome();
  const code = await run("npx", args, { env: home ? { HOME: home, USERPROFILE: home, npm_config_cache: join(home, ".npm") } : {} });
  if (home) rmSync(home, { recursive: true, force: true });
  if (code !== 0) {
    throw new Error("The installation failed (its messages are above). It needs the npm registry once; check the network or proxy, then run the same command again.");
  }
}

/** Builds the packages whose sources changed since their last build; turbo's cache knows which. */
export async function build(filters = ["./packages/*"]) {
  const code = await runLocal("turbo", ["run", "build", "--ui=stream", "--output-logs=errors-only", ...filters.map((filter) => `--filter=${filter}`)]);
  if (code !== 0) throw new Error("The build failed; its messages are above.");
}

/** Runs a script's body; a failure becomes one line and an exit code of 1. */
export async function main(body) {
  try {
    process.exitCode = await body();
  } catch (error) {
    console.error(`heddle: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main(async () => {
    await install();
    await build();
    console.error("heddle: ready. Try `npx heddle --help` or `npm run demo`.");
    return 0;
  });
}

import { HeddleError } from "@heddle/kernels";
import { writeError } from "../source/atomic-file.ts";
import { nodeModules, systemErrorCode } from "../source/node.ts";

/** The right to write a folder; held by one run at a time. */
export interface FolderLock extends AsyncDisposable {
  readonly folder: string;
  release(): Promise<void>;
}

interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** Tells a process from a later one with the same pid; null where the system does not say. */
  readonly processStart: string | null;
}

const LOCK_FILE_NAME = ".heddle.lock";
const heldHere = new Set<string>();

/**
 * Takes the folder for this process, making it where needed. A second run on the same folder gets `FOLDER_IN_USE`;
 * the lock of a process that is gone (killed, or the machine restarted) is taken over. Node only.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const { fs, path } = nodeModules("lockFolder");
  try {
    await fs.mkdir(folder, { recursive: true });
    folder = await fs.realpath(folder);
  } catch (cause) {
    throw writeError(folder, cause);
  }
  const lockPath = path.join(folder, LOCK_FILE_NAME);
  const mine = JSON.stringify(await describeProcess(process.pid));
  for (let attempt = 0; attempt < 3; attempt++) {
    if (await createLock(lockPath, mine)) {
      heldHere.add(lockPath);
      const release = async (): Promise<void> => {
        if (!heldHere.delete(lockPath)) return;
        await fs.rm(lockPath, { force: true });
      };
      return { folder, release, [Symbol.asyncDispose]: release };
    }
    const found = await fs.readFile(lockPath, "utf8").catch(() => undefined);
    if (found === undefined) continue; // released in between
    const holder = parseHolder(found);
    if (holder && (await isAlive(holder, lockPath))) throw inUse(folder, lockPath, holder);
    await takeAway(lockPath, found);
  }
  throw inUse(folder, lockPath);
}

async function createLock(lockPath: string, content: string): Promise<boolean> {
  const { fs } = nodeModules("lockFolder");
  // Written aside and linked into place: a lock file never exists without its content.
  const aside = `${lockPath}.${process.pid}`;
  try {
    await fs.writeFile(aside, content);
    await fs.link(aside, lockPath);
    return true;
  } catch (cause) {
    const code = systemErrorCode(cause) ?? "";
    if (code === "EEXIST") return false;
    if (LINKS_UNSUPPORTED.includes(code)) return createWithoutLink(lockPath, content);
    throw writeError(lockPath, cause);
  } finally {
    await fs.rm(aside, { force: true });
  }
}

// exFAT and some network drives have no hard links.
const LINKS_UNSUPPORTED = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

async function createWithoutLink(lockPath: string, content: string): Promise<boolean> {
  try {
    await nodeModules("lockFolder").fs.writeFile(lockPath, content, { flag: "wx" });
    return true;
  } catch (cause) {
    if (systemErrorCode(cause) === "EEXIST") return false;
    throw writeError(lockPath, cause);
  }
}

/** Removes a stale lock, unless another run replaced it by its own since it was read. */
async function takeAway(lockPath: string, stale: string): Promise<void> {
  const { fs } = nodeModules("lockFolder");
  const aside = `${lockPath}.${process.pid}.stale`;
  try {
    await fs.rename(lockPath, aside);
  } catch (cause) {
    if (systemErrorCode(cause) === "ENOENT") return;
    throw writeError(lockPath, cause);
  }
  try {
    if ((await fs.readFile(aside, "utf8")) !== stale) await fs.link(aside, lockPath);
  } finally {
    await fs.rm(aside, { force: true });
  }
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const holder = JSON.parse(text) as LockHolder;
    return Number.isInteger(holder.pid) ? holder : undefined;
  } catch {
    return undefined;
  }
}

async function describeProcess(pid: number): Promise<LockHolder> {
  const { os } = nodeModules("lockFolder");
  return { pid, host: os.hostname(), processStart: await processStart(pid) };
}

async function isAlive(holder: LockHolder, lockPath: string): Promise<boolean> {
  const { os } = nodeModules("lockFolder");
  if (holder.host !== os.hostname()) return true; // another machine on a shared drive: cannot be asked
  if (holder.pid === process.pid) return heldHere.has(lockPath);
  try {
    process.kill(holder.pid, 0);
  } catch (cause) {
    return systemErrorCode(cause) === "EPERM";
  }
  // In a restarted container the same small pids come again.
  const start = await processStart(holder.pid);
  return start === null || holder.processStart === null || start === holder.processStart;
}

/** Linux: clock ticks from boot to the start of the process (field 22 of /proc/PID/stat; proc(5)). */
async function processStart(pid: number): Promise<string | null> {
  try {
    const stat = await nodeModules("lockFolder").fs.readFile(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

function inUse(folder: string, lockPath: string, holder?: LockHolder): HeddleError {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : "another process";
  return new HeddleError("FOLDER_IN_USE", `[${folder}] is being written by ${who}: wait for it, stop it, or choose another output folder (if it surely is gone, delete ${lockPath})`);
}

import { listDevices } from "@heddle/tasks";
import { count } from "../screen/format.ts";
import { columns } from "../screen/table.ts";
import type { Session } from "../session/session.ts";

type DeviceList = Awaited<ReturnType<typeof listDevices>>;

/** `heddle devices`: every adapter that can be found, best first, with its measured ceiling. */
export async function devices(session: Session): Promise<void> {
  const { signal } = session;
  session.status.update("measuring …");
  const list = await listDevices({ signal });
  session.result(devicesJson(list), () => renderDevices(list, session));
}

function devicesJson({ devices: found, missing }: DeviceList): object {
  const chosen = found.find(({ problem }) => problem === undefined);
  return {
    devices: found.map((device) => {
      const { name, source, ceilingGflops, problem, profile } = device;
      const { kind, vendor, architecture, description } = profile;
      return { name, kind, driver: source, vendor, architecture, description, ceilingGflops, chosen: device === chosen, problem };
    }),
    missing,
  };
}

function renderDevices({ devices: found, missing }: DeviceList, { terminal: { out }, command }: Session): string {
  const { bold, dim, green, yellow } = out.colors;
  const chosen = found.find(({ problem }) => problem === undefined);
  const rows = found.map((device) => [
    device === chosen ? green("→") : " ",
    device === chosen ? bold(device.name) : device.name,
    device.profile.kind,
    device.ceilingGflops === null ? (device.problem ?? "") : `${device.ceilingGflops < 100 ? device.ceilingGflops.toFixed(1) : count(device.ceilingGflops)} GFLOP/s`,
    device.source,
  ]);
  const header = ["", "adapter", "kind", "f32 multiply-adds", "driver"].map((name) => dim(name));
  const table = rows.length > 0 ? columns([header, ...rows], ["left", "left", "left", "right", "left"]) : `${yellow("no adapter that WebGPU accepts was found")}\n`;
  const untried = missing.length > 0 ? `\n${dim("not found")}\n${missing.map((reason) => `  ${reason}\n`).join("")}` : "";
  const hint = `\n${dim(`→ is what --device auto takes; HEDDLE_ADAPTER=NAME chooses another.`)}\n${dim(`--device reference needs no adapter; it is exact and slow, for tests.`)}\n`;
  return `${table}${untried}${rows.length > 0 ? hint : `\nTry \`${command} train --device reference …\` on a few rows, or add a driver as said above.\n`}`;
}

import { listDevices } from "@heddle/tasks";
import { count } from "../screen/format.ts";
import { columns } from "../screen/table.ts";
import type { Session } from "../session/session.ts";

type DeviceList = Awaited<ReturnType<typeof listDevices>>;

/** `heddle devices`: the CPU and every adapter that can be found, with their measured speed. */
export async function devices(session: Session): Promise<void> {
  const { signal } = session;
  session.status.update("measuring …");
  const list = await listDevices({ signal });
  session.result(devicesJson(list), () => renderDevices(list, session));
}

/** The adapter that WebGPU takes. */
const bestAdapter = ({ devices: found }: DeviceList) => found.find(({ problem }) => problem === undefined);

function devicesJson(list: DeviceList): object {
  const { devices: found, cpu, auto, missing } = list;
  const adapter = bestAdapter(list);
  return {
    devices: found.map((device) => {
      const { name, source, ceilingGflops, problem, profile } = device;
      const { kind, vendor, architecture, description } = profile;
      return { name, kind, driver: source, vendor, architecture, description, ceilingGflops, chosen: device === adapter, problem };
    }),
    cpu,
    auto,
    missing,
  };
}

function renderDevices(list: DeviceList, { terminal: { out }, command }: Session): string {
  const { devices: found, cpu, auto, missing } = list;
  const { bold, dim, green, yellow } = out.colors;
  const adapter = bestAdapter(list);
  const rate = (gflops: number): string => `${gflops < 100 ? gflops.toFixed(1) : count(gflops)} GFLOP/s`;
  const mark = (chosen: boolean, name: string): string[] => (chosen ? [green("→"), bold(name)] : [" ", name]);
  const rows = [
    ...(cpu ? [[...mark(auto === "cpu", cpu.name), "cpu", cpu.matmulGflops === null ? "" : rate(cpu.matmulGflops), "products of matrices"]] : []),
    ...found.map((device) => [
      ...mark(auto === "webgpu" && device === adapter, device.name),
      device.profile.kind,
      device.ceilingGflops === null ? (device.problem ?? "") : rate(device.ceilingGflops),
      device.source,
    ]),
  ];
  const header = ["", "device", "kind", "f32", "driver"].map((name) => dim(name));
  const table = rows.length > 0 ? columns([header, ...rows], ["left", "left", "left", "right", "left"]) : `${yellow("no adapter that WebGPU accepts was found, and no onnxruntime")}\n`;
  const untried = missing.length > 0 ? `\n${dim("not found")}\n${missing.map((reason) => `  ${reason}\n`).join("")}` : "";
  const hint = `\n${dim("→ is what --device auto takes; a software adapter's rate is that of multiply-adds alone, which no model reaches.")}\n${dim("--device webgpu|cpu chooses, HEDDLE_ADAPTER=NAME an adapter; --device reference is exact and slow, for tests.")}\n`;
  return `${table}${untried}${rows.length > 0 ? hint : `\nTry \`${command} train --device reference …\` on a few rows, or add a driver as said above.\n`}`;
}

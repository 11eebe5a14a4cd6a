import { costOf } from "./queue-clock.ts";
import { encodeDispatch, encodeTransfer, type RecordedCommand, type Transfer } from "./recorded.ts";

/** Drivers keep what is recorded until it is submitted. */
const MAX_DISPATCHES = 2048;

/** Records commands in order, and submits them when told or when it is enough for one submission. */
export class Submitter {
  submissions = 0;
  dispatches = 0;
  /** Since the last submission. */
  private recorded = { dispatches: 0, cost: 0 };
  private encoder: GPUCommandEncoder | null = null;
  private open: GPUComputePassEncoder | null = null;

  constructor(
    private readonly device: GPUDevice,
    private readonly label: string,
    /** In the unit of `costOf`. */
    private readonly maxCost: number,
  ) {}

  add(command: RecordedCommand): void {
    if (command.kind === "dispatch") this.dispatch(command);
    else this.transfer(command);
  }

  private dispatch(command: Extract<RecordedCommand, { kind: "dispatch" }>): void {
    const cost = costOf(command.spec);
    if (this.recorded.dispatches === MAX_DISPATCHES || (this.recorded.dispatches > 0 && this.recorded.cost + cost > this.maxCost)) this.flush();
    this.open ??= this.recording().beginComputePass({ label: this.label });
    encodeDispatch(this.open, command);
    this.recorded.dispatches++;
    this.recorded.cost += cost;
    this.dispatches++;
  }

  transfer(transfer: Transfer): void {
    this.endPass();
    encodeTransfer(this.recording(), transfer);
  }

  flush(): void {
    this.endPass();
    if (!this.encoder) return;
    this.device.queue.submit([this.encoder.finish()]);
    this.encoder = null;
    this.recorded = { dispatches: 0, cost: 0 };
    this.submissions++;
  }

  private recording(): GPUCommandEncoder {
    this.encoder ??= this.device.createCommandEncoder({ label: this.label });
    return this.encoder;
  }

  private endPass(): void {
    this.open?.end();
    this.open = null;
  }
}

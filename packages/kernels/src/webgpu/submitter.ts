import { encodeTransfer, type Transfer } from "./recorded.ts";

/** Records passes, copies and clears in order, and submits them when told. */
export class Submitter {
  submissions = 0;
  private encoder: GPUCommandEncoder | null = null;
  private open: GPUComputePassEncoder | null = null;

  constructor(
    private readonly device: GPUDevice,
    private readonly label: string,
  ) {}

  /** The compute pass that is open, or a new one. */
  pass(): GPUComputePassEncoder {
    this.open ??= this.recording().beginComputePass({ label: this.label });
    return this.open;
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

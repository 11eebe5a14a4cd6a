import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

/** The live curve of a training run: loss by step, accuracy on held-out rows by evaluation. */
export class Curve {
  private readonly steps: number[] = [];
  private readonly losses: (number | null)[] = [];
  private readonly accuracies: (number | null)[] = [];
  private readonly plot: uPlot;

  constructor(parent: HTMLElement) {
    parent.replaceChildren();
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("color");
    const axis = { stroke: ink, grid: { stroke: "#8884", width: 1 } };
    this.plot = new uPlot(
      {
        width: parent.clientWidth,
        height: 220,
        scales: { x: { time: false }, share: { range: [0, 1] } },
        axes: [axis, { ...axis, label: "loss" }, { ...axis, label: "accuracy", scale: "share", side: 1, grid: { show: false } }],
        series: [
          { label: "step" },
          { label: "loss", stroke: "#2f6fed", width: 2, spanGaps: true },
          { label: "accuracy on held-out rows", stroke: "#e0861a", width: 2, scale: "share", spanGaps: true, points: { show: true, size: 7 } },
        ],
      },
      this.data(),
      parent,
    );
    new ResizeObserver(() => this.plot.setSize({ width: parent.clientWidth, height: 220 })).observe(parent);
  }

  addLoss(step: number, loss: number): void {
    this.at(step, this.losses, loss);
  }

  addAccuracy(step: number, accuracy: number): void {
    this.at(step, this.accuracies, accuracy);
  }

  private at(step: number, series: (number | null)[], value: number): void {
    if (this.steps.at(-1) !== step) {
      this.steps.push(step);
      this.losses.push(null);
      this.accuracies.push(null);
    }
    series[series.length - 1] = value;
    this.plot.setData(this.data());
  }

  private data(): uPlot.AlignedData {
    return [this.steps, this.losses, this.accuracies];
  }
}

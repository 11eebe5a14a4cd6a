import exampleUrl from "../../../examples/data/reviews.csv?url";
import { Client } from "./client.ts";
import { Curve } from "./curve.ts";
import type { Classification, DeviceName, FitEvent } from "./protocol.ts";

const client = new Client();
const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const textInput = element<HTMLTextAreaElement>("text");
const errorBox = element("error");

/** Runs a step of the page and shows what went wrong, if anything. */
async function guarded(work: () => Promise<void>): Promise<void> {
  errorBox.hidden = true;
  try {
    await work();
  } catch (error) {
    setTraining(false);
    errorBox.textContent = (error as Error).message;
    errorBox.hidden = false;
  }
}

/** The bar and the button to stop are there only while there is something to stop. */
function setTraining(running: boolean): void {
  element("bar").hidden = !running;
  element("stop").hidden = !running;
}

function ready(message: string): void {
  setTraining(false);
  element("phase").textContent = message;
  textInput.disabled = false;
  void classify();
}

async function chooseTable(file: File): Promise<void> {
  await guarded(async () => {
    const { columns, numRows, problems } = await client.ask({ type: "table", file });
    const bad = problems.length === 0 ? "" : `; ${problems.length} unusable, first: line ${problems[0]!.line}, ${problems[0]!.reason}`;
    element("table-summary").textContent = `${file.name}: ${numRows} rows${bad}`;
    fillColumns("text-column", columns, /text|sentence|content|review|message/i, 0);
    fillColumns("label-column", columns, /label|class|category|sentiment|intent/i, columns.length - 1);
    element("columns").hidden = false;
  });
}

function fillColumns(id: string, columns: readonly string[], likely: RegExp, fallback: number): void {
  const select = element<HTMLSelectElement>(id);
  select.replaceChildren(...columns.map((name) => new Option(name)));
  const guess = columns.findIndex((name) => likely.test(name));
  select.selectedIndex = guess < 0 ? fallback : guess;
}

async function train(): Promise<void> {
  await guarded(async () => {
    element("progress").hidden = false;
    setTraining(true);
    const curve = new Curve(element("curve"));
    const onEvent = (event: FitEvent) => {
      if (event.type === "phase") element("phase").textContent = `${event.message} …`;
      if (event.type === "step") {
        element<HTMLProgressElement>("bar").value = event.step / event.totalSteps;
        element("phase").textContent = `Step ${event.step} of ${event.totalSteps} · loss ${event.loss.toFixed(3)} · ${Math.round(event.tokensPerSecond)} tokens/s`;
        curve.addLoss(event.step, event.loss);
      }
      if (event.type === "evaluation") curve.addAccuracy(event.step, event.accuracy);
    };
    const text = element<HTMLSelectElement>("text-column").value;
    const label = element<HTMLSelectElement>("label-column").value;
    const epochs = element<HTMLInputElement>("epochs").valueAsNumber;
    const { accuracy, majorityAccuracy, numRows } = await client.ask({ type: "train", text, label, epochs }, onEvent);
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    ready(`Trained on ${numRows} rows. Accuracy on held-out rows ${percent(accuracy)}; always answering the commonest label gives ${percent(majorityAccuracy)}.`);
  });
}

async function openFolder(files: readonly File[]): Promise<void> {
  await guarded(async () => {
    element("progress").hidden = false;
    setTraining(false);
    element("curve").replaceChildren();
    element("phase").textContent = "Loading …";
    const { labels } = await client.ask({ type: "open", files });
    ready(`Loaded. Labels: ${labels.join(", ")}.`);
  });
}

let asked = 0;
async function classify(): Promise<void> {
  const text = textInput.value.trim();
  const turn = ++asked;
  if (text === "") {
    element("answer").replaceChildren();
    return;
  }
  await guarded(async () => {
    const answer = await client.ask({ type: "classify", text });
    // A later keystroke has its own answer on the way.
    if (turn === asked) showAnswer(answer);
  });
}

function showAnswer(answer: readonly Classification[]): void {
  element("answer").replaceChildren(
    ...answer.map(({ label, score }) => {
      const item = document.createElement("li");
      const meter = Object.assign(document.createElement("meter"), { min: 0, max: 1, value: score });
      const name = Object.assign(document.createElement("span"), { textContent: label });
      const number = Object.assign(document.createElement("span"), { textContent: `${(100 * score).toFixed(1)} %`, className: "score" });
      item.dataset["label"] = label;
      item.dataset["score"] = String(score);
      item.append(name, meter, number);
      return item;
    }),
  );
}

element<HTMLInputElement>("table").addEventListener("change", ({ target }) => {
  const file = (target as HTMLInputElement).files?.[0];
  if (file) void chooseTable(file);
});
element<HTMLInputElement>("folder").addEventListener("change", ({ target }) => {
  const { files } = target as HTMLInputElement;
  if (files?.length) void openFolder([...files]);
});
element("example").addEventListener("click", () => {
  void guarded(async () => {
    const response = await fetch(exampleUrl);
    await chooseTable(new File([await response.blob()], "reviews.csv"));
  });
});
element("columns").addEventListener("submit", (event) => {
  event.preventDefault();
  void train();
});
element("stop").addEventListener("click", () => void client.ask({ type: "stop" }));
textInput.addEventListener("input", () => void classify());

const drop = element("drop");
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const file = event.dataTransfer?.files[0];
  if (file) void chooseTable(file);
});

void guarded(async () => {
  const wanted = new URLSearchParams(location.search).get("device") as DeviceName | null;
  const { kind, description } = await client.ask({ type: "device", device: wanted || "auto" });
  const reason = kind === "cpu" && !wanted ? ", as WebGPU finds no GPU in this browser" : "";
  element("device").textContent = `Running on ${description}${reason}.`;
});

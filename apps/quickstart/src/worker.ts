import { HeddleError, labelledTexts, openDevice, readTable, TextClassifier, type Device, type Table } from "@heddle/tasks";
import type { Answers, Request, Response } from "./protocol.ts";

// One device and one classifier for the life of the page.
let device: Promise<Device>;
let classifier: TextClassifier | null = null;
let table: Table | null = null;
let training: AbortController | null = null;

function replaceClassifier(next: TextClassifier): void {
  classifier?.dispose();
  classifier = next;
}

async function answer(request: Request, send: (response: Response) => void): Promise<Answers[keyof Answers]> {
  switch (request.type) {
    case "device": {
      device = openDevice({ device: request.device });
      const { kind, description } = await device;
      return { kind, description };
    }
    case "open":
      replaceClassifier(await TextClassifier.fromPretrained(request.files, { device: await device }));
      return { labels: classifier!.labels };
    case "table":
      table = await readTable(new Uint8Array(await request.file.arrayBuffer()), { name: request.file.name });
      return { columns: table.columns, numRows: table.rows.length, problems: table.problems };
    case "train":
      return train(request, send);
    case "stop":
      training?.abort();
      return null;
    case "classify":
      if (!classifier) throw new HeddleError("INVALID_ARGUMENT", "[quickstart] no model yet: train one on a table or open a model folder");
      return (await classifier.classify([request.text], { topK: null }))[0]!;
  }
}

async function train({ id, text, label, epochs }: Extract<Request, { type: "train" }>, send: (response: Response) => void): Promise<Answers["train"]> {
  if (!table) throw new HeddleError("INVALID_ARGUMENT", "[quickstart] no table yet: drop a CSV file first");
  const { rows, problems } = labelledTexts(table, { text, label });
  training = new AbortController();
  try {
    let majorityAccuracy = 0;
    const trained = await TextClassifier.fit(rows, {
      device: await device,
      trainingArguments: { numTrainEpochs: epochs, loggingSteps: 5 },
      signal: training.signal,
      onEvent: (event) => {
        if (event.type === "plan") majorityAccuracy = event.majorityAccuracy;
        send({ id, type: "event", event });
      },
    });
    replaceClassifier(trained);
    return { accuracy: trained.summary!.evaluation.accuracy, majorityAccuracy, numRows: rows.length, problems };
  } finally {
    training = null;
  }
}

self.addEventListener("message", async ({ data: request }: MessageEvent<Request>) => {
  const send = (response: Response) => self.postMessage(response);
  try {
    send({ id: request.id, type: "answer", answer: await answer(request, send) });
  } catch (error) {
    send({ id: request.id, type: "error", code: HeddleError.isInstance(error) ? error.code : "UNKNOWN", message: error instanceof Error ? error.message : String(error) });
  }
});

import { writeFile } from "node:fs/promises";
import { openDevice, type DeviceName } from "@heddle/kernels";
import { Trainer } from "../trainer.ts";
import { tinyModel, tinyRows, weightsOf } from "./tiny.ts";

// The run that kill.test.ts kills: `killed-run.ts OUTPUT_DIR WEIGHTS_FILE DEVICE`. It goes on from the newest checkpoint,
// says every step on standard output, and writes its final weights.

const [outputDir, weightsFile, deviceName] = process.argv.slice(2) as [string, string, string];
const device = await openDevice({ device: deviceName as DeviceName });
const model = tinyModel(device);
const trainer = new Trainer({
  model,
  trainDataset: tinyRows(40),
  args: { outputDir, perDeviceTrainBatchSize: 4, learningRate: 0.01, numTrainEpochs: 4, loggingSteps: 1, saveStrategy: "steps", saveSteps: 1, saveTotalLimit: 2, groupByLength: true },
  emaDecay: 0.9,
});
for await (const event of trainer.train({ resumeFromCheckpoint: "auto" })) process.stdout.write(`${event.type} ${"step" in event ? event.step : 0}\n`);
await writeFile(weightsFile, JSON.stringify(await weightsOf(model)));
trainer.dispose();
model.dispose();
device.dispose();

import { Command, InvalidArgumentError, Option } from "commander";
import { LOAD_DTYPES, ONNX_DTYPES, RECOMMENDER_MODELS, type DeviceName, type OnnxDtype } from "@heddle/tasks";
import type { CommonOptions, Session } from "../session/session.ts";
import { chat, type ChatOptions } from "./chat.ts";
import { demo, type DemoOptions } from "./demo.ts";
import { devices } from "./devices.ts";
import { embed, type EmbedOptions } from "./embed.ts";
import { evaluate, type EvalOptions } from "./eval.ts";
import { exportModel, type ExportOptions } from "./export.ts";
import { generateText, type GenerateOptions } from "./generate.ts";
import { predict, type PredictOptions } from "./predict.ts";
import { profileModel, type ProfileOptions } from "./profile.ts";
import { recommend, type RecommendOptions } from "./recommend.ts";
import { train, type TrainOptions } from "./train.ts";
import { trainRecommender, type TrainRecommenderOptions } from "./train-recommender.ts";
import { transcribe, type TranscribeOptions } from "./transcribe.ts";
import { tuneModel, type TuneOptions } from "./tune.ts";

const TRAINING_TASKS = ["text-classification", "recommendation"] as const;
type TrainingTask = (typeof TRAINING_TASKS)[number];

/** Options of `train`, by their names in code: what a task cannot do without, and what is of the other task alone. */
const OPTIONS_OF_TASKS: Readonly<Record<TrainingTask, { readonly needs: readonly string[]; readonly refuses: readonly string[] }>> = {
  "text-classification": { needs: ["text", "label"], refuses: ["user", "item", "time", "modelType", "items"] },
  recommendation: { needs: [], refuses: ["text", "label", "eval", "evalText", "evalLabel", "model", "maxSteps", "tokenizer", "revision"] },
};

/** Runs a command's body with its session. */
export type StartSession = (options: CommonOptions, body: (session: Session) => Promise<void>) => Promise<void>;

const MODEL = "folder that train or Python's transformers wrote, or an id of the Hugging Face Hub, as org/name";

const HELP = `
Models of the Hugging Face Hub come once, into HEDDLE_CACHE, HF_HOME or ~/.cache/heddle; HF_TOKEN opens private
ones, HF_HUB_OFFLINE=1 keeps to what is there.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (Ctrl-C).
With --json, standard output is one JSON object a line and the last line is the result;
progress, warnings and errors go to standard error always.`;

/** The command line of `heddle`. */
export function heddleProgram(version: string, start: StartSession): Command {
  const program = new Command("heddle")
    .description("Transformers of your own, trained and run on WebGPU.")
    .version(version)
    .showHelpAfterError("(add --help for the options)")
    .addHelpText("after", HELP);

  program
    .command("train")
    .description("train a text classifier on labelled rows of a CSV, TSV or JSON Lines file, or a recommender on a click log")
    .addOption(new Option("--task <name>", "what the model is for").choices(TRAINING_TASKS).default(TRAINING_TASKS[0]))
    .requiredOption("--data <file>", "rows to train on; for recommendation who touched what: CSV, TSV, JSON Lines, Parquet, or lines of user item item …")
    .option("--text <column>", "column with the texts (classification needs it)")
    .option("--label <column>", "column with the labels (classification needs it)")
    .option("--user <column>", "recommendation: column with the users (default: by its name)")
    .option("--item <column>", "recommendation: column with the items (default: by its name)")
    .option("--time <column>", "recommendation: column with the times (default: by its name; without one the file's order counts)")
    .option("--items <file>", "recommendation: what is known of items, a row each, so that new ones can be recommended: CSV, TSV, JSON Lines or Parquet")
    .option("--eval <file>", "rows to evaluate on (default: a tenth of each label's rows is held out)")
    .option("--eval-text <column>", "text column of the evaluation file (default: as --text)")
    .option("--eval-label <column>", "label column of the evaluation file (default: as --label)")
    .option("--model <model>", "checkpoint to fine-tune: its folder, or its id on the Hugging Face Hub (default: a small encoder from scratch)")
    .addOption(new Option("--model-type <name>", "recommendation: family of the model (default: sasrec)").choices(RECOMMENDER_MODELS))
    .requiredOption("--output <folder>", "where the model goes; checkpoints lie in FOLDER/checkpoints while training")
    .option("--epochs <n>", "times that training goes through the rows (default: by their number)", positive)
    .option("--max-steps <n>", "stop after so many steps", wholeFrom(1))
    .option("--learning-rate <x>", "the peak of its schedule (default: by the kind of training)", positive)
    .option("--batch-size <n>", "rows a step", wholeFrom(1))
    .option("--max-length <n>", "tokens a text is cut to (default: by the texts); newest items of a history that count (default: 50)", wholeFrom(3))
    .addOption(new Option("--tokenizer <kind>", "tokenizer to train, without --model").choices(["wordpiece", "byte-level-bpe"]))
    .option("--resume", "go on with a run that was stopped, from its newest checkpoint")
    .option("--overwrite", "replace a finished model, or discard an unfinished run, in the output folder")
    .addHelpText("after", "A column of --items is a number where all its cells are, else it holds categories; several of a cell in a list or with | between\nthem. Items of it that nobody touched are in the catalogue too, placed by their features.\n\nRecommendation holds each user's last event out as the test and the last but one to choose the best epoch by, and ends\nwith the figures of popularity, recency, item-kNN, Markov and EASE beside the model's.")
    .action((options: TrainOptions & TrainRecommenderOptions & CommonOptions & { task: TrainingTask }, command: Command) => {
      checkTask(command, options.task);
      return start(options, (session) => (options.task === "recommendation" ? trainRecommender(options, session) : train(options, session)));
    });

  program
    .command("eval")
    .description("say how good a model is: a classifier on labelled rows, a recommender on a click log")
    .requiredOption("--model <model>", MODEL)
    .requiredOption("--data <file>", "rows to evaluate on; of a recommender who touched what, as train --task recommendation takes it")
    .option("--text <column>", "column with the texts (classifiers need it)")
    .option("--label <column>", "column with the labels (classifiers need it)")
    .option("--int8", "round weights and their inputs to int8: about twice as fast on the CPU (classifiers)")
    .option("--user <column>", "column with the users, of a recommender's table (default: by its name)")
    .option("--item <column>", "column with the items (default: by its name)")
    .option("--time <column>", "column with the times (default: by its name)")
    .addHelpText("after", "A recommender ranks each user's last event among all its items, those touched before aside; with --json the last line\nis {\"hr@5\", \"ndcg@5\", \"hr@10\", \"ndcg@10\", \"hr@20\", \"ndcg@20\", …}.")
    .action((options: EvalOptions & CommonOptions) => start(options, (session) => evaluate(options, session)));

  program
    .command("predict")
    .description("classify texts: arguments, lines on standard input, or a column of a file")
    .argument("[text...]", "texts to classify")
    .requiredOption("--model <model>", MODEL)
    .option("--data <file>", "file with texts")
    .option("--text <column>", "its column with the texts")
    .option("--top-k <n>", "labels a text gets, best first", wholeFrom(1), 1)
    .option("--int8", "round weights and their inputs to int8: about twice as fast on the CPU")
    .addHelpText("after", "Writes one answer a text, in their order: on a terminal in columns, otherwise label, score and text\nwith tabs between them, with --json as {\"text\", \"label\", \"score\", \"scores\"}.")
    .action((texts: string[], options: PredictOptions & CommonOptions) => start(options, (session) => predict(texts, options, session)));

  program
    .command("recommend")
    .description("say which items come next for a visitor, by a recommender")
    .requiredOption("--model <model>", "recommender that train --task recommendation wrote, or a published SASRec checkpoint: its folder")
    .requiredOption("--history <ids>", "items that the visitor touched, oldest first, with commas between them", itemIds)
    .option("--top-k <n>", "items to name, best first", wholeFrom(1), 10)
    .option("--include-seen", "items of the history may come again")
    .addHelpText("after", "Writes one item a line with its score; with --json {\"items\": [{\"itemId\", \"score\"}, …]}.")
    .action((options: RecommendOptions & CommonOptions) => start(options, (session) => recommend(options, session)));

  writing(program.command("generate"))
    .description("go on with a text, by a decoder: a model folder or a GGUF file")
    .argument("<prompt...>", "the text to go on with")
    .option("--schema <file>", "write JSON on one line that fits this JSON schema")
    .addHelpText("after", "Streams the text as it is written; with --json a line a token, and at the end the whole text, the number of its\ntokens and how many came a second.")
    .action((prompt: string[], options: GenerateOptions & CommonOptions) => start(options, (session) => generateText(prompt, options, session)));

  writing(program.command("chat"))
    .description("talk with a model that was trained for it: lines on standard input")
    .option("--system <text>", "what the model is told first")
    .action((options: ChatOptions & CommonOptions) => start(options, (session) => chat(options, session)));

  program
    .command("transcribe")
    .description("write down what is said in a recording, with times: a WAV file of any length")
    .argument("<file>", "WAV file")
    .requiredOption("--model <model>", "Whisper, by its folder or its id on the Hub, such as openai/whisper-tiny.en")
    .option("--language <code>", "what is spoken, as en or zh (default: the model finds out)")
    .option("--translate", "write it in English")
    .action((file: string, options: TranscribeOptions & CommonOptions) => start(options, (session) => transcribe(file, options, session)));

  program
    .command("embed")
    .description("write the vector of each text, as a JSON line: arguments, or lines on standard input")
    .argument("[text...]", "texts")
    .requiredOption("--model <model>", "sentence encoder, by its folder or its id on the Hub, such as sentence-transformers/all-MiniLM-L6-v2")
    .action((texts: string[], options: EmbedOptions & CommonOptions) => start(options, (session) => embed(texts, options, session)));

  program
    .command("export")
    .description("write a model for other runtimes: ONNX, which transformers.js and onnxruntime load")
    .requiredOption("--model <model>", MODEL)
    .addOption(new Option("--format <name>", "file format").choices(["onnx"]).default("onnx"))
    .requiredOption("--output <folder>", "where the files go")
    .option("--dtype <names>", `one file for each: ${ONNX_DTYPES.join(", ")} (q8: int8, a quarter of the size)`, dtypes, ["fp32"])
    .option("--overwrite", "write into a folder that is not empty")
    .action((options: ExportOptions & CommonOptions) => start(options, (session) => exportModel(options, session)));

  program
    .command("profile")
    .description("time each kernel of a model's forward pass, beside what the adapter can do")
    .argument("<model>", MODEL)
    .option("--batch <n>", "sequences at once", wholeFrom(1), 8)
    .option("--length <n>", "tokens of each (default: 64, or the most that the model takes)", wholeFrom(1))
    .option("--trace <file>", "also write a time line for chrome://tracing and https://ui.perfetto.dev")
    .addHelpText("after", "Runs on random token ids, on WebGPU unless --device says otherwise: other devices have no kernels to time.")
    .action((model: string, options: ProfileOptions & CommonOptions) => start(options, (session) => profileModel(model, options, session)));

  program
    .command("tune")
    .description("find the fastest kernels for a model on this machine, and keep them for all later runs")
    .argument("<model>", MODEL)
    .option("--batch <n>", "sequences at once", wholeFrom(1), 8)
    .option("--length <n>", "tokens of each (default: 64, or the most that the model takes)", wholeFrom(1))
    .option("--budget <seconds>", "for compiling and measuring; what does not fit keeps its default", positive, 60)
    .addHelpText("after", "Nobody has to: each class of adapters has its defaults, which stay where nothing is clearly faster.")
    .action((model: string, options: TuneOptions & CommonOptions) => start(options, (session) => tuneModel(model, options, session)));

  program
    .command("devices")
    .description("list the adapters found here, with their measured speed")
    .action((options: CommonOptions) => start(options, (session) => devices(session)));

  program
    .command("demo")
    .description("the tour: train on the repository's reviews, compare with simpler means, classify what you type")
    .argument("[text...]", "reviews to classify (default: asks on a terminal, else some samples)")
    .option("--model <model>", "checkpoint to fine-tune instead of training from scratch: its folder, or its id on the Hugging Face Hub")
    .option("--output <folder>", "where the model goes", "heddle-demo-model")
    .action((texts: string[], options: DemoOptions & CommonOptions) => start(options, (session) => demo(texts, options, session)));

  for (const command of program.commands) {
    if (command.name() !== "devices") command.option("--revision <name>", "branch, tag or commit of a model of the Hugging Face Hub (default: main)");
    addCommonOptions(command);
  }
  return program;
}

/** Ends with a usage error where options and task do not go together. */
function checkTask(command: Command, task: TrainingTask): void {
  const { needs, refuses } = OPTIONS_OF_TASKS[task];
  for (const option of command.options) {
    const isGiven = command.getOptionValue(option.attributeName()) !== undefined;
    if (!isGiven && needs.includes(option.attributeName())) command.error(`error: required option '${option.flags}' not specified`);
    if (isGiven && option.attributeName() === "revision" && command.getOptionValue("model") === undefined) command.error(`error: option '${option.flags}' is of a checkpoint, give one with --model`);
    if (isGiven && refuses.includes(option.attributeName())) command.error(`error: option '${option.flags}' is not for --task ${task}`);
  }
}

/** The options of commands that write texts. */
function writing(command: Command): Command {
  return command
    .requiredOption("--model <model>", "model folder or GGUF file, or the id of one on the Hugging Face Hub: org/name, org/name/file.gguf")
    .addOption(new Option("--dtype <name>", "how weights are held: a GGUF file's in its few bits, in half precision, or worked out (default: quantized on a GPU)").choices(LOAD_DTYPES))
    .option("--max-new-tokens <n>", "tokens to write at most", wholeFrom(1), 128)
    .option("--temperature <t>", "0: always the likeliest token; 0.7 is usual for variety", nonNegative, 0)
    .option("--top-k <n>", "draw from the likeliest n tokens; 0: from all (default: the model's own)", wholeFrom(0))
    .option("--top-p <p>", "draw from the fewest tokens that together have this probability (default: the model's own)", positive)
    .option("--stop <text...>", "end before one of these texts");
}

/** The options that every command has, shown after its own. */
function addCommonOptions(command: Command): void {
  command
    .addOption(new Option("--device <name>", "where to run (default: auto, a GPU, else the faster of CPU and software WebGPU)").choices(["auto", "webgpu", "cpu", "reference"] satisfies DeviceName[]))
    .option("--seed <n>", "the same seed, data and device give the same model", wholeFrom(0), 42)
    .option("--json", "JSON lines on standard output; the last one is the result")
    .option("--verbose", "more about what happens, and where an error came from")
    .addHelpText("after", HELP);
}

function dtypes(text: string): OnnxDtype[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !ONNX_DTYPES.includes(name as OnnxDtype));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no dtype '${unknown}': give ${ONNX_DTYPES.join(" or ")}, or several with commas between them.`);
  return [...new Set(names as OnnxDtype[])];
}

function itemIds(text: string): string[] {
  return text.split(",").map((id) => id.trim()).filter((id) => id !== "");
}

function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < least) throw new InvalidArgumentError(`Give a whole number of at least ${least}.`);
    return value;
  };
}

function nonNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError("Give 0 or a number above it.");
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("Give a number above 0.");
  return value;
}

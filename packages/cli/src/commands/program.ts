import { Command, InvalidArgumentError, Option } from "commander";
import type { DeviceName } from "@heddle/tasks";
import type { CommonOptions, Session } from "../session/session.ts";
import { train, type TrainOptions } from "./train.ts";

/** Runs a command's body with its session. */
export type StartSession = (options: CommonOptions, body: (session: Session) => Promise<void>) => Promise<void>;

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (Ctrl-C).
With --json, standard output is one JSON object a line and the last line is the result;
progress, warnings and errors go to standard error always.`;

/** The command line of `heddle`. */
export function heddleProgram(version: string, start: StartSession): Command {
  const program = new Command("heddle")
    .description("Transformers of your own, trained and run on WebGPU.")
    .version(version)
    .showHelpAfterError("(add --help for the options)")
    .addHelpText("after", EXIT_CODES);

  common(program.command("train"))
    .description("train a text classifier on labelled rows of a CSV, TSV or JSON Lines file")
    .requiredOption("--data <file>", "rows to train on")
    .requiredOption("--text <column>", "column with the texts")
    .requiredOption("--label <column>", "column with the labels")
    .option("--eval <file>", "rows to evaluate on (default: a tenth of each label's rows is held out)")
    .option("--eval-text <column>", "text column of the evaluation file (default: as --text)")
    .option("--eval-label <column>", "label column of the evaluation file (default: as --label)")
    .option("--model <folder>", "Hugging Face folder of a checkpoint to fine-tune (default: a small encoder from scratch)")
    .requiredOption("--output <folder>", "where the model goes; checkpoints lie in FOLDER/checkpoints while training")
    .option("--epochs <n>", "times that training goes through the rows (default: by their number)", positive)
    .option("--max-steps <n>", "stop after so many steps", wholeFrom(1))
    .option("--learning-rate <x>", "the peak of its schedule (default: by the kind of training)", positive)
    .option("--batch-size <n>", "rows a step", wholeFrom(1))
    .option("--max-length <n>", "tokens a text is cut to (default: by the texts)", wholeFrom(3))
    .addOption(new Option("--tokenizer <kind>", "tokenizer to train, without --model").choices(["wordpiece", "byte-level-bpe"]))
    .option("--resume", "go on with a run that was stopped, from its newest checkpoint")
    .option("--overwrite", "replace a finished model, or discard an unfinished run, in the output folder")
    .action((options: TrainOptions & CommonOptions) => start(options, (session) => train(options, session)));

  return program;
}

function common(command: Command): Command {
  return command
    .addOption(new Option("--device <name>", "where to run (default: auto, the best WebGPU adapter)").choices(["auto", "webgpu", "reference"] satisfies DeviceName[]))
    .option("--seed <n>", "the same seed, data and device give the same model", wholeFrom(0), 42)
    .option("--json", "JSON lines on standard output; the last one is the result", false)
    .option("--verbose", "more about what happens, and where an error came from", false)
    .addHelpText("after", EXIT_CODES);
}

function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < least) throw new InvalidArgumentError(`Give a whole number of at least ${least}.`);
    return value;
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("Give a number above 0.");
  return value;
}

import { beforeLast, compareRecommenders, describeComparison, evaluateRecommender, fitBaselines, HeddleError, leaveOneOut, SequentialRecommender, type ItemFeatures, type RecommenderComparison, type RecommenderEvaluation, type RecommenderModel, type Split } from "@heddle/tasks";
import { readItems, readLog, type InteractionOptions } from "../data/interactions.ts";
import { countOf, duration, shellQuote } from "../screen/format.ts";
import { rankingJson, renderRankings } from "../screen/ranking-report.ts";
import { RecommenderProgress } from "../screen/recommender-progress.ts";
import { Interrupted, isAbort } from "../session/failure.ts";
import type { Session } from "../session/session.ts";
import { OutputFolder } from "./output-folder.ts";
import { announceStop, beginOrGoOn, interrupted } from "./resumable.ts";

export interface TrainRecommenderOptions extends InteractionOptions {
  readonly data: string;
  /** What is known of items. */
  readonly items?: string;
  readonly output: string;
  readonly modelType?: RecommenderModel;
  readonly epochs?: number;
  readonly learningRate?: number;
  readonly batchSize?: number;
  readonly maxLength?: number;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
}

interface Trained {
  readonly evaluation: RecommenderEvaluation;
  readonly baselines: readonly RecommenderEvaluation[];
  readonly comparison: RecommenderComparison;
  /** Baselines that this catalogue is too large for. */
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
  readonly bestEpoch: number | undefined;
  readonly seconds: number;
  readonly device: string;
  /** Of the catalogue, for an example. */
  readonly itemIds: readonly string[];
}

/** `heddle train --task recommendation`: who touched what in, a recommender's folder out. */
export async function trainRecommender(options: TrainRecommenderOptions, session: Session): Promise<void> {
  const { resume = false, overwrite = false, output } = options;
  const folder = await OutputFolder.open(output);
  try {
    await folder.requireRoom({ resume, overwrite });
    const log = await readLog(session, options.data, options);
    // The model and its baselines learn all but the last event; fit holds out what it validates on by itself, and learns that in the end.
    const split = { train: beforeLast(log), test: leaveOneOut(log).test };
    const itemFeatures = options.items === undefined ? undefined : await readItems(session, options.items);
    await beginOrGoOn(folder, { resume, overwrite }, session);
    const trained = await trainInto(folder, split, itemFeatures, options, session);
    // Who looks at the table reads it above that.
    if ((session.options.json || !session.terminal.out.isTTY) && !trained.comparison.beatsAll) session.warn(describeComparison(trained.comparison)[0]!);
    session.result(resultJson(trained, output), () => renderResult(trained, output, session));
  } finally {
    session.status.clear();
    await folder.close();
  }
}

/** What is learnt, and what is measured on. */
type Held = Pick<Split, "train" | "test">;

async function trainInto(folder: OutputFolder, split: Held, itemFeatures: ReadonlyMap<string, ItemFeatures> | undefined, options: TrainRecommenderOptions, session: Session): Promise<Trained> {
  const { signal } = session;
  const progress = new RecommenderProgress(session);
  const startMs = performance.now();
  let isSaved = false;
  try {
    using recommender = await announceStop(session, () =>
      SequentialRecommender.fit(split.train, {
        ...settingsFrom(options),
        ...(itemFeatures && { itemFeatures }),
        device: session.options.device,
        seed: session.options.seed,
        outputDir: folder.checkpoints,
        resume: options.resume,
        signal,
        onEvent: (event) => progress.handle(event),
      }),
    );
    const seconds = (performance.now() - startMs) / 1000;
    await recommender.savePretrained(options.output, { lock: folder.lock, signal });
    await folder.removeCheckpoints();
    isSaved = true;
    const measured = await measure(recommender, split, session);
    // After it was compared, as baselines cannot know them.
    const known = new Set(recommender.itemIds);
    const untouched = [...(itemFeatures ?? [])].flatMap(([itemId, features]) => (known.has(itemId) ? [] : [{ itemId, features }]));
    if (untouched.length > 0) {
      await recommender.addItems(untouched);
      await recommender.savePretrained(options.output, { lock: folder.lock, signal });
      session.log(session.terminal.err.colors.dim(`• ${countOf(untouched.length, "item")} that nobody touched ${untouched.length === 1 ? "is" : "are"} placed by features`));
    }
    return { ...measured, bestEpoch: progress.bestEpoch, seconds, device: recommender.deviceDescription, itemIds: recommender.itemIds };
  } catch (error) {
    if (!isAbort(error, signal)) throw error;
    throw isSaved ? new Interrupted(`stopped before the model was compared with baselines; it is complete in ${options.output}`, { cause: error }) : await interrupted(folder, session, error);
  }
}

/** On what was held out of training, beside baselines that learnt from the same. */
async function measure(recommender: SequentialRecommender, { train, test }: Held, session: Session): Promise<Pick<Trained, "evaluation" | "baselines" | "comparison" | "leftOut">> {
  const { signal, status, terminal } = session;
  const evaluate = (ranker: Parameters<typeof evaluateRecommender>[0]) => evaluateRecommender(ranker, test, train, { signal, onProgress: ({ done, total }) => status.update(`${ranker.name}: ranked ${done} of ${total}`) });
  session.log(terminal.err.colors.dim(`• ranking the last event of ${countOf(test.length, "user")}, by the model and by baselines …`));
  const evaluation = await evaluate(recommender);
  const { baselines: fitted, leftOut } = await fitBaselines(train);
  const baselines: RecommenderEvaluation[] = [];
  for (const baseline of fitted) baselines.push(await evaluate(baseline));
  for (const { name, reason } of leftOut) session.warn(`no ${name} to compare with: ${reason}`);
  return { evaluation, baselines, comparison: compareRecommenders(evaluation, baselines), leftOut };
}

/** Only what the user gave: an absent key leaves the choice to `fit`. */
function settingsFrom({ modelType, epochs, learningRate, batchSize, maxLength }: TrainRecommenderOptions): object {
  if (epochs !== undefined && !Number.isInteger(epochs)) throw new HeddleError("INVALID_ARGUMENT", `[train] --epochs is ${epochs}: a recommender is trained for a whole number of them`);
  return {
    ...(modelType !== undefined && { model: modelType }),
    ...(epochs !== undefined && { numTrainEpochs: epochs }),
    ...(learningRate !== undefined && { learningRate }),
    ...(batchSize !== undefined && { batchSize }),
    ...(maxLength !== undefined && { maxLength }),
  };
}

function resultJson({ evaluation, baselines, comparison, leftOut, bestEpoch, seconds, device }: Trained, output: string): object {
  return {
    ...rankingJson(evaluation),
    numUsers: evaluation.numQueries,
    baselines: baselines.map((baseline) => ({ name: baseline.name, ...rankingJson(baseline) })),
    beatsAll: comparison.beatsAll,
    comparison: comparison.verdicts,
    leftOut,
    bestEpoch,
    seconds,
    device,
    output,
  };
}

function renderResult({ evaluation, baselines, comparison, bestEpoch, seconds, itemIds }: Trained, output: string, { terminal: { out }, command }: Session): string {
  const { bold, dim } = out.colors;
  const [conclusion, ...differences] = describeComparison(comparison);
  return `
${bold(conclusion!)}
${renderRankings([evaluation, ...baselines], out)}
${differences.map((line) => dim(line)).join("\n")}
${dim(`the last event of ${countOf(evaluation.numQueries, "user")}, each among all ${countOf(evaluation.numItems, "item")} but those touched before; trained in ${duration(seconds)}${bestEpoch === undefined ? "" : `; epoch ${bestEpoch} was the best, and what chose it was learnt after it`}`)}

The model is in ${bold(output)}. Next:
  ${command} recommend --model ${shellQuote(output)} --history ${shellQuote(itemIds.slice(0, 3).join(","))}
`;
}

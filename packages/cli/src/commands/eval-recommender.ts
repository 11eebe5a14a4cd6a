import { evaluateRecommender, HeddleError, leaveOneOut, SequentialRecommender, type RecommenderEvaluation } from "@heddle/tasks";
import { readLog, type InteractionOptions } from "../data/interactions.ts";
import { countOf, duration } from "../screen/format.ts";
import { rankingJson, renderRankings } from "../screen/ranking-report.ts";
import { loadingOptions } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";

export interface EvalRecommenderOptions extends InteractionOptions {
  readonly model: string;
  readonly data: string;
  readonly text?: string;
  readonly label?: string;
  readonly int8?: boolean;
}

/** `heddle eval` of a recommender: each user's last event among the whole catalogue, without what that user touched before. */
export async function evaluateRanking(options: EvalRecommenderOptions, session: Session): Promise<void> {
  const { signal, status } = session;
  const foreign = (["text", "label", "int8"] as const).find((name) => options[name] !== undefined);
  if (foreign !== undefined) throw new HeddleError("INVALID_ARGUMENT", `[eval] --${foreign} is for texts, and ${options.model} is a recommender: leave it out; --user, --item and --time name the columns of a click log`);
  const interactions = await readLog(session, options.data, options);
  using recommender = await SequentialRecommender.fromPretrained(options.model, loadingOptions(session));
  const { train, test } = leaveOneOut(recommender.alignInteractions(interactions));
  session.log(session.terminal.err.colors.dim(`• ranking the last event of ${countOf(test.length, "user")} among ${countOf(recommender.itemIds.length, "item")}, ${recommender.deviceDescription} …`));
  const evaluation = await evaluateRecommender(recommender, test, train, { signal, onProgress: ({ done, total }) => status.update(`ranked ${done} of ${total}`) });
  const { numQueries, repeatedTargets, seconds } = evaluation;
  if (repeatedTargets > 0) session.warn(`${countOf(repeatedTargets, "user")} touched the last item before, where it is no candidate: left out`);
  session.result({ ...rankingJson(evaluation), numUsers: numQueries, seconds, model: options.model, device: recommender.deviceDescription }, () => render(evaluation, session));
}

function render(evaluation: RecommenderEvaluation, { terminal: { out } }: Session): string {
  const { numQueries, numItems, seconds } = evaluation;
  return `
${renderRankings([evaluation], out)}
${out.colors.dim(`the last event of ${countOf(numQueries, "user")}, each among all ${countOf(numItems, "item")} but those touched before; ${duration(seconds)}`)}
`;
}

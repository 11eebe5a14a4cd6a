import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { HeddleError, readInteractionsFile, SequentialRecommender, type InteractionEvent, type Interactions, type LearningReport, type UpdateSettings } from "@heddle/tasks";

// Does learning from a stream make the next answers better, and does the guard refuse a poisoned one?
//
// Each user's last event is never shown to anybody; it is what has to be foreseen. The last but one of the streamed users comes as an event, in
// streams of 1,000, each from the same frozen weights. Three answers are compared on the same users: of the model that took the
// stream and learnt, of the frozen one that sees the same histories (what learning adds), and of the frozen one without the new events
// (what a nightly batch would answer). With --control a fourth learns as many steps from the events before those, which the weights have
// learnt before: the difference to it is what the new events add, and not only more training.

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    data: { type: "string" },
    device: { type: "string", default: "cpu" },
    from: { type: "string", default: "0.9" },
    to: { type: "string", default: "1" },
    events: { type: "string", default: "1000" },
    streams: { type: "string", default: "2" },
    control: { type: "boolean", default: false },
    settings: { type: "string", default: "{}" },
    json: { type: "string" },
  },
});
if (!values.model || !values.data) throw new HeddleError("INVALID_ARGUMENT", "usage: tsx --conditions=@heddle/source benchmarks/quality/recommender-update.ts --model FOLDER --data FILE [--from 0.9 --to 1] [--events 1000] [--streams 2] [--settings JSON] [--device cpu|webgpu] [--json FILE]");

const settings = JSON.parse(values.settings) as UpdateSettings;
/** Events that arrive in one call. */
const CALL = 100;
const BOTS = 250;

const { interactions: read } = await readInteractionsFile(values.data, { duplicates: "none" });
const numUsers = read.userIds.length;
const [first, end] = [Math.floor(numUsers * Number(values.from)), Math.floor(numUsers * Number(values.to))];

/** What is known before the stream: no last event of anybody, and no last but one of those who will be streamed. */
const known: Interactions = { userIds: read.userIds, itemIds: read.itemIds, histories: read.histories.map((history, user) => history.subarray(0, user >= first && user < end ? -2 : -1)) };

/** One event less of the streamed users, which the weights know already. */
const shorter: Interactions = { ...known, histories: known.histories.map((history, user) => (user >= first && user < end ? history.subarray(0, -1) : history)) };

const load = (interactions = known) => SequentialRecommender.fromPretrained(values.model!, { device: values.device as "cpu", itemIds: read.itemIds, interactions, updates: settings });

/** NDCG@10 of each user's last event among all items that the user has not touched, by what the recommender knows of the user. */
async function ndcgOf(recommender: SequentialRecommender, users: readonly number[], withNew: boolean): Promise<number[]> {
  const { ranks } = await recommender.rankAll(
    users.map((user) => {
      const all = read.histories[user]!;
      const target = all.at(-1)!;
      const history = all.subarray(0, withNew ? -1 : -2);
      return { history, targets: Int32Array.of(target), excluded: Int32Array.from(new Set(all.subarray(0, -1))).filter((item) => item !== target) };
    }),
    0,
  );
  return ranks.map(([rank]) => (rank! <= 10 ? 1 / Math.log2(rank! + 1) : 0));
}

const mean = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

/** Paired bootstrap of a mean difference: its 95 % interval. */
function interval(differences: readonly number[]): [number, number] {
  let state = 12345;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const means = Array.from({ length: 2000 }, () => mean(differences.map(() => differences[Math.floor(next() * differences.length)]!))).sort((a, b) => a - b);
  return [means[50]!, means[1950]!];
}

const inWords = ({ accepted, reason, numEvents: learnt, numSteps, before, after, risen, seconds }: LearningReport) =>
  `${accepted ? "accepted" : `refused (${reason})`}: ${learnt} events, ${numSteps} steps, ${seconds.toFixed(1)} s; guard earlier ${before.earlier?.toFixed(4)} → ${after.earlier?.toFixed(4)}, recent ${before.recent?.toFixed(4)} → ${after.recent?.toFixed(4)}; most risen: ${risen && `${risen.itemId} ${(100 * risen.from).toFixed(1)} % → ${(100 * risen.to).toFixed(1)} %`}`;

async function stream(recommender: SequentialRecommender, events: readonly InteractionEvent[]) {
  const rounds = [];
  for (let begin = 0; begin < events.length; begin += CALL) {
    const last = begin + CALL >= events.length;
    const { learning } = await recommender.update(events.slice(begin, begin + CALL), last ? { learn: "now" } : {});
    if (learning) rounds.push(learning);
  }
  return rounds;
}

const numEvents = Number(values.events);
const shown: Record<"frozen" | "nightly" | "live" | "control", number[]> = { frozen: [], nightly: [], live: [], control: [] };
const eventOf = (user: number, fromEnd: number): InteractionEvent => ({ userId: read.userIds[user]!, itemId: read.itemIds[read.histories[user]!.at(-fromEnd)!]! });
const streams = [];
for (let number = 0; number < Number(values.streams); number++) {
  const users = Array.from({ length: numEvents }, (_, i) => first + number * numEvents + i).filter((user) => user < end);
  if (users.length < numEvents) break;
  using recommender = await load();
  const [nightly, frozen] = [await ndcgOf(recommender, users, false), await ndcgOf(recommender, users, true)];
  const rounds = await stream(recommender, users.map((user) => eventOf(user, 2)));
  const live = await ndcgOf(recommender, users, true);
  shown.nightly.push(...nightly);
  shown.frozen.push(...frozen);
  shown.live.push(...live);
  streams.push({ nightly: mean(nightly), frozen: mean(frozen), live: mean(live), rounds });
  console.log(`stream ${number + 1}: ${users.length} events   NDCG@10 nightly ${mean(nightly).toFixed(5)}   frozen ${mean(frozen).toFixed(5)}   updated ${mean(live).toFixed(5)}`);
  for (const round of rounds) console.log(`  ${inWords(round)}`);
}
if (values.control) {
  for (let number = 0; number < streams.length; number++) {
    const users = Array.from({ length: numEvents }, (_, i) => first + number * numEvents + i);
    using recommender = await load(shorter);
    for (const round of await stream(recommender, users.map((user) => eventOf(user, 3)))) console.log(`  control ${inWords(round)}`);
    shown.control.push(...(await ndcgOf(recommender, users, true)));
  }
}
const gain = shown.live.map((value, i) => value - shown.frozen[i]!);
const summary = { users: gain.length, nightly: mean(shown.nightly), frozen: mean(shown.frozen), updated: mean(shown.live), gain: mean(gain), interval: interval(gain), control: values.control ? mean(shown.control) : null };
console.log(`all ${summary.users} users: nightly ${summary.nightly.toFixed(5)}, frozen ${summary.frozen.toFixed(5)}, updated ${summary.updated.toFixed(5)}; gain ${summary.gain.toFixed(5)} [${summary.interval.map((value) => value.toFixed(5)).join(", ")}]${summary.control === null ? "" : `; as many steps without the new events ${summary.control.toFixed(5)}`}`);

/** Bots who go a stretch of somebody's way, and then all to an item that hardly anybody takes; once with everything on, once with the guard alone. */
async function poisoned(updates: UpdateSettings) {
  using recommender = await SequentialRecommender.fromPretrained(values.model!, { device: values.device as "cpu", itemIds: read.itemIds, interactions: known, updates: { ...settings, ...updates } });
  const counts = new Map<number, number>();
  for (const history of known.histories) for (const item of history) counts.set(item, (counts.get(item) ?? 0) + 1);
  const target = read.itemIds[[...counts].sort((a, b) => a[1] - b[1] || a[0] - b[0])[0]![0]]!;
  const events = Array.from({ length: BOTS }, (_, bot) => [...Array.from(known.histories[bot * 7]!.subarray(0, 3), (item) => read.itemIds[item]!), target].map((itemId): InteractionEvent => ({ userId: `bot-${bot}`, itemId }))).flat();
  const { refused, learning } = await recommender.update(events, { learn: "now" });
  return { target, numEvents: events.length, refused, learning };
}
const poison = { screened: await poisoned({}), guardAlone: await poisoned({ maxItemShare: 1 }) };
for (const [name, { target, numEvents: sent, refused, learning }] of Object.entries(poison)) {
  console.log(`poison (${name}): ${sent} events for item ${target}; refused before learning: ${refused.map(({ reason, numEvents: count, itemIds }) => `${reason} ${count} ${itemIds.join()}`).join("; ") || "none"}; ${learning ? inWords(learning) : "nothing learnt"}`);
}
if (values.json) {
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify({ date: new Date().toISOString(), model: values.model, users: [values.from, values.to], settings, summary, streams, poison }, null, 2)}\n`);
}

import { SequentialRecommender } from "../recommender.ts";
import { customers, settings, visits } from "./shop.ts";

// The stream that journal.test.ts kills: `killed-updates.ts MODEL JOURNAL`. It sends clicks a call at a time from where the journal left
// off, and says on standard output which call has been answered for.

const [model, journal] = process.argv.slice(2) as [string, string];
const recommender = await SequentialRecommender.fromPretrained(model, { device: "cpu", interactions: customers, updates: { ...settings, eventsPerRound: 40 } });
const { numEvents, generation } = await recommender.openJournal(journal);
process.stdout.write(`open ${numEvents} ${generation}\n`);
const clicks = visits(0, 80, 5);
for (let begin = numEvents; begin < clicks.length; begin += 20) {
  const { learning } = await recommender.update(clicks.slice(begin, begin + 20));
  process.stdout.write(`answered ${begin + 20} ${learning?.generation ?? ""}\n`);
}
await recommender.close();

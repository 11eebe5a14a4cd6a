import type { LabelledText } from "../text-classification/types.ts";

const subjects = ["the phone", "this hotel", "our dinner", "that blue jacket", "the delivery", "my new lamp", "the second book", "这家餐厅"];
const verdicts = {
  positive: ["works great", "is wonderful", "was a joy", "made me happy"],
  negative: ["broke at once", "is terrible", "was a waste", "made me angry"],
};

/** Texts whose label is plain to see, so that a tiny model learns it in seconds: 64 rows. */
export function easyRows(): LabelledText[] {
  return subjects.flatMap((subject) => (["positive", "negative"] as const).flatMap((label) => verdicts[label].map((verdict) => ({ text: `${subject} ${verdict}`, label }))));
}

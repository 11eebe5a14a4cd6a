import type { LabelledText, WarningEvent } from "./types.ts";

const MAX_NAMES = 10;

function names(labels: readonly string[]): string {
  return labels.slice(0, MAX_NAMES).map((label) => JSON.stringify(label)).join(", ") + (labels.length > MAX_NAMES ? ", …" : "");
}

export function neverTrainedWarning(unknown: readonly string[], rows: readonly LabelledText[], labels: readonly string[]): WarningEvent {
  const count = rows.filter(({ label }) => unknown.includes(String(label))).length;
  return {
    type: "warning",
    code: "LABEL_NEVER_TRAINED",
    message: `${count} of ${rows.length} rows have labels that the model was never trained on (${names(unknown)}) and count as wrong; it knows ${names(labels)}. Add training rows with these labels, or check their spelling`,
  };
}

export function rareLabelWarning(rare: readonly string[]): WarningEvent {
  return {
    type: "warning",
    code: "LABEL_RARE",
    message: `${rare.length === 1 ? "the label" : `${rare.length} labels`} ${names(rare)} ${rare.length === 1 ? "has" : "have"} a single training row, too little to learn from: add rows, or merge with a similar label`,
  };
}

export function truncationWarning(places: readonly number[], numTexts: number, maxLength: number): WarningEvent {
  return {
    type: "warning",
    code: "TEXT_TRUNCATED",
    message: `${places.length} of ${numTexts} texts ${places.length === 1 ? "is" : "are"} longer than ${maxLength} tokens and cut at the end (the first is number ${places[0]! + 1}): split long texts if their end matters`,
  };
}

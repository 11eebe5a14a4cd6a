import { HeddleError } from "@heddle/kernels";

export interface ClassScores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface ClassificationMetrics {
  readonly accuracy: number;
  /** Unweighted mean over the classes that occur as label or prediction, as scikit-learn averages. */
  readonly macro: ClassScores;
  /** Over all decisions; for one label a row all three equal the accuracy. */
  readonly micro: ClassScores;
  /** By class id; `support` counts the rows of the class. */
  readonly perClass: readonly (ClassScores & { readonly support: number })[];
  /** `confusion[label][prediction]`: row counts. */
  readonly confusion: readonly (readonly number[])[];
  /** Scores that are 0 for lack of rows, not for lack of skill. */
  readonly notes: readonly string[];
}

/** `confusion[label][prediction]`. Rows whose label is negative (ignored) are left out. Throws INVALID_ARGUMENT. */
export function confusionMatrix(labels: ArrayLike<number>, predictions: ArrayLike<number>, numClasses: number): number[][] {
  if (labels.length !== predictions.length) throw new HeddleError("INVALID_ARGUMENT", `[confusionMatrix] ${labels.length} labels and ${predictions.length} predictions; pass one prediction a label`);
  const counts = Array.from({ length: numClasses }, () => new Array<number>(numClasses).fill(0));
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label < 0) continue;
    const row = counts[label];
    if (row?.[predictions[i]!] === undefined) throw new HeddleError("INVALID_ARGUMENT", `[confusionMatrix] row ${i} has label ${label} and prediction ${predictions[i]}, outside of ${numClasses} classes; raise numClasses`);
    row[predictions[i]!]!++;
  }
  return counts;
}

/**
 * Accuracy, precision, recall and F1 of predicted class ids; a ratio without rows is 0 with a note, as scikit-learn's
 * `zero_division=0`.
 *
 * @param classNames for the notes
 */
export function classificationMetrics(labels: ArrayLike<number>, predictions: ArrayLike<number>, numClasses: number, classNames?: readonly string[]): ClassificationMetrics {
  const confusion = confusionMatrix(labels, predictions, numClasses);
  const notes: string[] = [];
  const name = (id: number) => classNames?.[id] ?? `class ${id}`;
  let hits = 0;
  let rows = 0;
  const perClass = confusion.map((counts, id) => {
    const truePositives = counts[id]!;
    const support = counts.reduce((a, b) => a + b, 0);
    const predicted = confusion.reduce((total, row) => total + row[id]!, 0);
    hits += truePositives;
    rows += support;
    if (support === 0) notes.push(`${name(id)} has no rows: its recall is 0 by convention`);
    if (predicted === 0) notes.push(`${name(id)} was never predicted: its precision is 0 by convention`);
    return { ...scores(truePositives, predicted, support), support, occurs: support + predicted > 0 };
  });
  const occurring = perClass.filter((scored) => scored.occurs);
  const average = (key: keyof ClassScores) => ratio(occurring.reduce((total, scored) => total + scored[key], 0), occurring.length);
  return {
    accuracy: ratio(hits, rows),
    macro: { precision: average("precision"), recall: average("recall"), f1: average("f1") },
    micro: scores(hits, rows, rows),
    perClass: perClass.map(({ occurs: _, ...scored }) => scored),
    confusion,
    notes,
  };
}

/**
 * The same scores for several labels a row. A label is one class; `accuracy` is the share of rows with every label right.
 *
 * @param labels 0 or 1, [rows · numLabels], row-major
 */
export function multiLabelMetrics(labels: ArrayLike<number>, predictions: ArrayLike<number>, numLabels: number): Omit<ClassificationMetrics, "confusion"> {
  if (labels.length !== predictions.length || labels.length % numLabels !== 0) {
    throw new HeddleError("INVALID_ARGUMENT", `[multiLabelMetrics] ${labels.length} labels and ${predictions.length} predictions do not make rows of ${numLabels}`);
  }
  const truePositives = new Array<number>(numLabels).fill(0);
  const predicted = new Array<number>(numLabels).fill(0);
  const support = new Array<number>(numLabels).fill(0);
  const rows = labels.length / numLabels;
  let exact = 0;
  for (let row = 0; row < rows; row++) {
    let same = true;
    for (let id = 0; id < numLabels; id++) {
      const [label, prediction] = [labels[row * numLabels + id]!, predictions[row * numLabels + id]!];
      support[id]! += label;
      predicted[id]! += prediction;
      truePositives[id]! += label * prediction;
      same &&= label === prediction;
    }
    if (same) exact++;
  }
  const perClass = support.map((count, id) => ({ ...scores(truePositives[id]!, predicted[id]!, count), support: count }));
  const total = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
  const average = (key: keyof ClassScores) => ratio(perClass.reduce((sum, scored) => sum + scored[key], 0), numLabels);
  return {
    accuracy: ratio(exact, rows),
    macro: { precision: average("precision"), recall: average("recall"), f1: average("f1") },
    micro: scores(total(truePositives), total(predicted), total(support)),
    perClass,
    notes: support.flatMap((count, id) => (count === 0 ? [`label ${id} has no rows: its recall is 0 by convention`] : [])),
  };
}

function scores(truePositives: number, predicted: number, support: number): ClassScores {
  return { precision: ratio(truePositives, predicted), recall: ratio(truePositives, support), f1: ratio(2 * truePositives, predicted + support) };
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

// Annotations: their order, which of them are current, and their words. The rules are those of
// `reports.review.annotations.current`.

/** Whether its author handed it in, rather than somebody else who imported it. */
export const verified = (annotation) => !annotation.imported_by;

function subject(annotation) {
  const imported = verified(annotation) ? [] : [annotation.author, annotation.imported_by];
  const about = {
    segment: [annotation.segment, annotation.author], exhibit: [annotation.author],
    rename: [annotation.person], merge: [annotation.person],
  }[annotation.kind];
  return JSON.stringify(about ? [annotation.kind, ...about, ...imported] : [annotation.kind, annotation.id]);
}

/** By time made; Python and JavaScript write fractions of a second differently. */
export function inOrder(annotations) {
  return [...annotations].sort((a, b) => Date.parse(a.made) - Date.parse(b.made) || (a.id < b.id ? -1 : 1));
}

/** Whether `withdrawal` takes `other` back; of what was imported, only what came in the same way, if it was itself. */
export function mayWithdraw(withdrawal, other) {
  if (!verified(withdrawal)) return withdrawal.author === other.author && withdrawal.imported_by === other.imported_by;
  return withdrawal.author === other.author || withdrawal.author === other.imported_by;
}

/** By id of what was withdrawn, the first withdrawal that took it back. */
export function withdrawals(annotations) {
  const ordered = inOrder(annotations);
  const byId = new Map(ordered.map((one) => [one.id, one]));
  const found = new Map();
  for (const one of ordered) {
    if (one.kind !== "withdrawal" || !byId.has(one.about) || found.has(one.about)) continue;
    if (mayWithdraw(one, byId.get(one.about))) found.set(one.about, one);
  }
  return found;
}

/** Who said it or, where that is not verified, who imported it and whom it names. */
export function byline(annotation) {
  if (verified(annotation)) return annotation.author;
  return `imported by ${annotation.imported_by}, said to be by ${annotation.author}, not verified`;
}

/** Nothing withdrawn, and each author's newest annotation of each subject. */
export function current(annotations) {
  const ordered = inOrder(annotations);
  const gone = withdrawals(ordered);
  const newest = new Map();
  for (const one of ordered) {
    if (one.kind === "withdrawal" || gone.has(one.id)) continue;
    newest.delete(subject(one));
    newest.set(subject(one), one);
  }
  return [...newest.values()];
}

const OPINION = { agree: "Agrees", disagree: "Disagrees", unsure: "Unsure" };

/** One annotation in words: its subject and its verdict. */
export function annotationWords(annotation, timecode) {
  switch (annotation.kind) {
    case "segment": return { about: `Segment ${annotation.segment}`, verdict: OPINION[annotation.verdict], mark: annotation.verdict };
    case "exhibit": return { about: "Whole exhibit", verdict: OPINION[annotation.verdict], mark: annotation.verdict };
    case "span": return {
      about: `${timecode(annotation.start)} to ${timecode(annotation.end)}${annotation.person ? `, person ${annotation.person}` : ""}`,
      verdict: annotation.verdict === "manipulated" ? "Manipulated, missed by the machine" : "Unsure about this stretch",
      mark: annotation.verdict === "manipulated" ? "disagree" : "unsure",
    };
    case "rename": return { about: `Person ${annotation.person}`, verdict: `Named “${annotation.name}”`, mark: "none" };
    case "merge": return { about: `Persons ${annotation.person} and ${annotation.into}`, verdict: "Are the same face", mark: "none" };
    case "split": return { about: `Person ${annotation.person}`, verdict: "Is more than one face: split", mark: "none" };
    default: return { about: "An earlier entry", verdict: "Withdrawn", mark: "none" };
  }
}

// Annotations: their order, which of them are current, and their words. The rules are those of
// `reports.review.annotations.current`.

function subject(annotation) {
  if (annotation.kind === "segment") return `segment ${annotation.segment} ${annotation.author}`;
  if (annotation.kind === "exhibit") return `exhibit ${annotation.author}`;
  if (annotation.kind === "rename" || annotation.kind === "merge") return `${annotation.kind} ${annotation.person}`;
  return `${annotation.kind} ${annotation.id}`;
}

/** By time made; Python and JavaScript write fractions of a second differently. */
export function inOrder(annotations) {
  return [...annotations].sort((a, b) => Date.parse(a.made) - Date.parse(b.made) || (a.id < b.id ? -1 : 1));
}

/** Nothing withdrawn, and each author's newest annotation of each subject. */
export function current(annotations) {
  const ordered = inOrder(annotations);
  const authors = new Map(ordered.map((one) => [one.id, one.author]));
  const gone = new Set(ordered.filter((one) => one.kind === "withdrawal" && authors.get(one.about) === one.author)
    .map((one) => one.about));
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

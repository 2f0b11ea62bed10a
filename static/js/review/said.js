// What reviewers said and what of it stands; `reports.review.annotations.standing` does the same.

function thing(said) {
  if (said.kind === "segment") return `segment ${said.segment} ${said.author}`;
  if (said.kind === "exhibit") return `exhibit ${said.author}`;
  if (said.kind === "rename" || said.kind === "merge") return `${said.kind} ${said.person}`;
  return `${said.kind} ${said.id}`;
}

/** In order of when it was said; Python and JavaScript write fractions of a second differently. */
export function inOrder(annotations) {
  return [...annotations].sort((a, b) => Date.parse(a.made) - Date.parse(b.made) || (a.id < b.id ? -1 : 1));
}

export function standing(annotations) {
  const said = inOrder(annotations);
  const authors = new Map(said.map((one) => [one.id, one.author]));
  const gone = new Set(said.filter((one) => one.kind === "withdrawal" && authors.get(one.about) === one.author)
    .map((one) => one.about));
  const newest = new Map();
  for (const one of said) {
    if (one.kind === "withdrawal" || gone.has(one.id)) continue;
    newest.delete(thing(one));
    newest.set(thing(one), one);
  }
  return [...newest.values()];
}

const OPINION = { agree: "Agrees", disagree: "Disagrees", unsure: "Unsure" };

/** One annotation in words: what about, and what was said of it. */
export function inWords(said, timecode) {
  switch (said.kind) {
    case "segment": return { about: `Segment ${said.segment}`, verdict: OPINION[said.verdict], mark: said.verdict };
    case "exhibit": return { about: "Whole exhibit", verdict: OPINION[said.verdict], mark: said.verdict };
    case "span": return {
      about: `${timecode(said.start)} to ${timecode(said.end)}${said.person ? `, person ${said.person}` : ""}`,
      verdict: said.verdict === "manipulated" ? "Manipulated, missed by the machine" : "Unsure about this stretch",
      mark: said.verdict === "manipulated" ? "disagree" : "unsure",
    };
    case "rename": return { about: `Person ${said.person}`, verdict: `Named “${said.name}”`, mark: "none" };
    case "merge": return { about: `Persons ${said.person} and ${said.into}`, verdict: "Are the same face", mark: "none" };
    case "split": return { about: `Person ${said.person}`, verdict: "Is more than one face: split", mark: "none" };
    default: return { about: "An earlier entry", verdict: "Withdrawn", mark: "none" };
  }
}

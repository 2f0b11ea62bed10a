// Annotations: their order, which of them are current, and their texts. The rules are those of
// `reports.review.annotations.current`.

import { _ } from "../language.js";

/** Whether the author recorded or imported it, rather than somebody else. */
export const verified = (annotation) => !annotation.imported_by;

function subject(annotation) {
  const imported = verified(annotation) ? [] : [annotation.author, annotation.imported_by];
  const about = {
    segment: [annotation.segment, annotation.author], exhibit: [annotation.author],
    rename: [annotation.person], merge: [annotation.person],
  }[annotation.kind];
  return JSON.stringify(about ? [annotation.kind, ...about, ...imported] : [annotation.kind, annotation.id]);
}

/** By time; Python and JavaScript format fractions of a second differently. */
export function inOrder(annotations) {
  return [...annotations].sort((a, b) => Date.parse(a.made) - Date.parse(b.made) || (a.id < b.id ? -1 : 1));
}

/** Whether `withdrawal` withdraws `other`; an imported one affects only what was imported in the same way. */
export function mayWithdraw(withdrawal, other) {
  if (!verified(withdrawal)) return withdrawal.author === other.author && withdrawal.imported_by === other.imported_by;
  return withdrawal.author === other.author || withdrawal.author === other.imported_by;
}

/** Withdrawn ids, with the first withdrawal of each. */
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

/** The author or, if not verified, the importer and the named author. */
export function byline(annotation) {
  if (verified(annotation)) return annotation.author;
  return _("imported by %(importer)s, said to be by %(author)s, not verified", {
    importer: annotation.imported_by, author: annotation.author,
  });
}

/** The newest annotation of each author on each subject, without withdrawn ones. */
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

/** The annotation in `standing` by the same author that says the same; a new one without a note would add nothing. */
export function alreadySaid(annotation, standing) {
  const said = { person: null, ...annotation };
  if (!said.note) delete said.note;
  const same = (one, name) => JSON.stringify(said[name] ?? null) === JSON.stringify(one[name] ?? null);
  return standing.find((one) => verified(one) && Object.keys(said).every((name) => same(one, name)));
}

const OPINION = { agree: _("Agrees"), disagree: _("Disagrees"), unsure: _("Unsure") };
// For a segment that is not flagged, there is no finding to agree with.
const OF_UNFLAGGED = { agree: _("Shows manipulation"), disagree: _("Shows no manipulation"), unsure: _("Unsure") };

function stretchWords({ start, end, person }, timecode) {
  const times = { start: timecode(start), end: timecode(end), person };
  return person ? _("%(start)s to %(end)s, person %(person)s", times) : _("%(start)s to %(end)s", times);
}

/** How much of a marked stretch lies within `flagged` segments, of its person if it names one: see marked_stretches.py. */
export function flaggedOf({ start, end, person }, flagged) {
  const inside = flagged
    .filter((one) => (!person || one.person === person) && one.start <= end && one.end >= start)
    .sort((a, b) => a.start - b.start);
  if (!inside.length) return "nothing";
  let reached = start;
  for (const segment of inside) {
    if (segment.start > reached) return "part";
    reached = Math.max(reached, segment.end);
  }
  return reached >= end ? "all" : "part";
}

const MARKED = {
  nothing: _("Manipulated, missed by the machine"),
  part: _("Manipulated, flagged in part by the machine"),
  all: _("Manipulated, flagged by the machine as well"),
};

/** Describe an annotation: subject and verdict. `flagged`: how much of its subject is flagged ("all", "part", "nothing"). */
export function annotationWords(annotation, timecode, flagged = "all") {
  const { kind, verdict, person, into, name, segment } = annotation;
  const isOf = (about, said, mark = "none") => ({ about, verdict: said, mark });
  switch (kind) {
    case "segment": return flagged === "all"
      ? isOf(_("Segment %(segment)s", { segment }), OPINION[verdict], verdict)
      : isOf(_("Looked at, not flagged: %(segment)s", { segment }), OF_UNFLAGGED[verdict], verdict);
    case "exhibit": return isOf(_("Whole exhibit"), OPINION[verdict], verdict);
    case "span": return verdict === "manipulated"
      ? isOf(stretchWords(annotation, timecode), MARKED[flagged], flagged === "all" ? "agree" : "disagree")
      : isOf(stretchWords(annotation, timecode), _("Unsure about this stretch"), "unsure");
    case "rename": return isOf(_("Person %(person)s", { person }), _("Named “%(name)s”", { name }));
    case "merge": return isOf(_("Persons %(person)s and %(into)s", { person, into }), _("Are the same face"));
    case "split": return isOf(_("Person %(person)s", { person }), _("Is more than one face: split"));
    default: return isOf(_("An earlier entry"), _("Withdrawn"));
  }
}

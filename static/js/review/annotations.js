// Annotations: their order, which of them are current, and their words. The rules are those of
// `reports.review.annotations.current`.

import { _ } from "../language.js";

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
  return _("imported by %(importer)s, said to be by %(author)s, not verified", {
    importer: annotation.imported_by, author: annotation.author,
  });
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

/** What of `standing` says the same already, by the same author; a new one without a note says no more than it. */
export function alreadySaid(annotation, standing) {
  const said = { person: null, ...annotation };
  if (!said.note) delete said.note;
  const same = (one, name) => JSON.stringify(said[name] ?? null) === JSON.stringify(one[name] ?? null);
  return standing.find((one) => verified(one) && Object.keys(said).every((name) => same(one, name)));
}

const OPINION = { agree: _("Agrees"), disagree: _("Disagrees"), unsure: _("Unsure") };
// Of a segment that was looked at and not flagged there is nothing of the machine's to agree with.
const OF_UNFLAGGED = { agree: _("Shows manipulation"), disagree: _("Shows no manipulation"), unsure: _("Unsure") };

function stretchWords({ start, end, person }, timecode) {
  const times = { start: timecode(start), end: timecode(end), person };
  return person ? _("%(start)s to %(end)s, person %(person)s", times) : _("%(start)s to %(end)s", times);
}

/** How much of a marked stretch lies within the `flagged` segments, of its person if it names one: see marked_stretches.py. */
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

/** One annotation in words: its subject and its verdict; `flagged`: how much of what it is about is ("all", "part", "nothing"). */
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

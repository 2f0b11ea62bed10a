// The lanes of the desk's timeline: content, names, and segments at another threshold.

import { byId, el } from "../dom.js";
import { _, decimal, ngettext, parameter } from "../language.js";
import { verified } from "./annotations.js";
import { mergers, wouldFlag } from "./explore.js";
import { ROOMY } from "./timeline.js";

const MOST_NAMED = 4; // merged stretches whose segments are named

/** A lane for each person, and below it those of other models. */
export function lanesOf(desk) {
  const { rules } = desk.data.raw;
  const spans = desk.current.filter((one) => one.kind === "span" && verified(one));
  const { start, end } = desk.annotationPanel.mark;
  if (start !== null || end !== null) spans.push({ start: start ?? end, end: end ?? start, person: null });
  return desk.persons.flatMap((person) => [{
    ...person,
    selected: desk.chosen,
    segments: desk.segments.filter((segment) => desk.personOf(segment)?.id === person.id),
    spans: spans.filter((span) => span.person === person.id || !span.person),
    explored: desk.explored === null ? [] : wouldFlag(person.scores, rules, desk.explored),
  }, ...byOthers(desk.data, person)]);
}

/** Lanes of other models: for the machine's own persons, unchanged by reviewers. */
function byOthers(data, person) {
  return data.others.filter((other) => other.scores.has(person.id)).map((other) => ({
    id: `${person.id}-${other.number}`,
    name: `${person.name}, ${other.title}`,
    model: other,
    scores: other.scores.get(person.id),
    selected: null,
    segments: other.segments.filter((segment) => segment.person === person.id),
    spans: [],
    explored: [],
  }));
}

export class LaneList {
  constructor(desk) {
    this.desk = desk;
    this.named = null; // the lanes whose names are shown
  }

  draw() {
    this.#names();
    this.#exploredWords();
  }

  #names() {
    const { lanes, persons, personPanel } = this.desk;
    const named = lanes.map((lane) => `${lane.id} ${lane.name}`).join("\n");
    if (named === this.named) return;
    this.named = named;
    const low = lanes.length > ROOMY;
    byId("lane-names").classList.toggle("low", low);
    byId("lane-names").replaceChildren(...lanes.map((lane) => {
      if (lane.model) {
        return el("li", { class: "by-other", title: lane.name }, el("span", {}, `${lane.model.number} ${lane.model.name}`));
      }
      const thumb = personPanel.thumb(lane, 20);
      thumb.dataset.face = lane.id;
      return el("li", { title: lane.name }, low ? null : thumb, el("span", {}, lane.name));
    }));
    if (!persons.length && this.desk.data.raw.media.kind !== "audio") byId("lane-names").append(el("li", {}, _("No face found")));
  }

  #exploredWords() {
    const { lanes, explored, segments, detail, data, sound } = this.desk;
    const { enter } = data.raw.rules;
    const voice = sound?.explored ?? null;
    const words = [];
    if (explored !== null) {
      const own = lanes.filter((lane) => !lane.model);
      const stretches = own.reduce((sum, lane) => sum + lane.explored.length, 0);
      words.push(ngettext(
        "Faces at %(threshold)s: %(num)s stretch would be flagged; recorded: %(recorded)s at %(enter)s.",
        "Faces at %(threshold)s: %(num)s stretches would be flagged; recorded: %(recorded)s at %(enter)s.",
        stretches, { threshold: decimal(explored, 2), recorded: countFlagged(segments), enter: parameter(enter) },
      ), ...besides(segments, own.flatMap((lane) => mergers(lane.explored, lane.segments))));
      if (detail && !detail.complete) words.push(_("Single scores are still being read; until then it is computed from an outline."));
    }
    if (voice !== null) {
      const stretches = sound.heard.reduce((sum, intervals) => sum + intervals.length, 0);
      words.push(ngettext(
        "Voices at %(threshold)s: %(num)s stretch would be flagged; recorded: %(recorded)s at %(enter)s.",
        "Voices at %(threshold)s: %(num)s stretches would be flagged; recorded: %(recorded)s at %(enter)s.",
        stretches, { threshold: decimal(voice, 2), recorded: countFlagged(sound.segments), enter: parameter(sound.enter) },
      ), ...besides(sound.segments, sound.heard.flatMap((intervals, lane) => mergers(intervals, sound.segments.filter((segment) => segment.lane === lane)))));
      if (sound.thinned) words.push(_("The recording is long: this is computed from the highest score of every few windows."));
    }
    words.push(words.length ? _("Exploration only, the recorded result does not change.") : _("Move the slider to see what another threshold would flag."));
    byId("explore-words").textContent = words.join(" ");
    byId("explore-value").textContent = decimal(explored ?? enter, 2);
    if (sound?.explores) byId("explore-voice-value").textContent = decimal(voice ?? sound.enter, 2);
    byId("explore-reset").hidden = explored === null && voice === null;
  }
}

const countFlagged = (segments) => segments.filter((segment) => segment.flagged).length;

/** What is to be said beside the number of stretches: recorded segments that merge, and those that were not flagged. */
function besides(segments, merged) {
  const words = [];
  if (merged.length) {
    const shown = merged.slice(0, MOST_NAMED).map((names) => names.join(" + "));
    words.push(_("%(before)s recorded segments merge into %(after)s: %(names)s.", {
      before: merged.flat().length, after: merged.length, names: [...shown, ...(merged.length > MOST_NAMED ? ["…"] : [])].join("; "),
    }));
  }
  const others = segments.length - countFlagged(segments);
  if (others) {
    words.push(ngettext(
      "Recorded besides: %(num)s stretch looked at and not flagged; the slider does not ask what speaks against it.",
      "Recorded besides: %(num)s stretches looked at and not flagged; the slider does not ask what speaks against them.",
      others,
    ));
  }
  return words;
}

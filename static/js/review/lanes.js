// The lanes of the desk's timeline: content, names, and segments at another threshold.

import { byId, el } from "../dom.js";
import { _, decimal, ngettext, parameter } from "../language.js";
import { verified } from "./annotations.js";
import { wouldFlag } from "./explore.js";
import { ROOMY } from "./timeline.js";

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
    const { lanes, explored, segments, detail, data } = this.desk;
    const found = lanes.reduce((sum, lane) => sum + lane.explored.length, 0);
    const { enter } = data.raw.rules;
    const flagged = segments.filter((segment) => segment.flagged).length;
    const others = segments.length - flagged;
    const words = explored === null ? [_("Move the slider to see what another threshold would flag.")] : [
      ngettext(
        "At %(threshold)s it would flag %(num)s stretch; recorded: %(recorded)s at %(enter)s.",
        "At %(threshold)s it would flag %(num)s stretches; recorded: %(recorded)s at %(enter)s.",
        found, { threshold: decimal(explored, 2), recorded: flagged, enter: parameter(enter) },
      ),
      _("Exploration only, the recorded result does not change."),
    ];
    if (explored !== null && others) {
      words.push(ngettext(
        "Recorded besides: %(num)s stretch looked at and not flagged; the slider does not ask what speaks against it.",
        "Recorded besides: %(num)s stretches looked at and not flagged; the slider does not ask what speaks against them.",
        others,
      ));
    }
    if (explored !== null && detail && !detail.complete) {
      words.push(_("Single scores are still being read; until then it is computed from an outline."));
    }
    byId("explore-words").textContent = words.join(" ");
    byId("explore-value").textContent = decimal(explored ?? enter, 2);
    byId("explore-reset").hidden = explored === null;
  }
}

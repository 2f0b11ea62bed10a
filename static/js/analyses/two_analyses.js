// Two analyses of one exhibit: one picture, one timeline, two lanes for each person.

import { byId, el } from "../dom.js";
import { timecode } from "../formats.js";
import { _ } from "../language.js";
import { read } from "../requests.js";
import { prepare, reviewedPersons } from "../review/data.js";
import { listen } from "../review/keys.js";
import { playbackKeys, showFor, wirePlayback } from "../review/playback.js";
import { Player } from "../review/player.js";
import { ROOMY, Timeline } from "../review/timeline.js";

const SIDES = [(name) => _("%(name)s, first", { name }), (name) => _("%(name)s, second", { name })];

function lanesOf(both, pairs) {
  const persons = both.map((data) => reviewedPersons(data, []));
  const lane = (person, side) => ({
    ...person,
    name: SIDES[side](person.name),
    rules: both[side].raw.rules,
    segments: both[side].raw.segments.filter((segment) => segment.person === person.id),
  });
  const lanes = [];
  for (const person of persons[0]) {
    lanes.push(lane(person, 0));
    const other = persons[1].find((one) => one.id === pairs[person.id]);
    if (other) lanes.push(lane(other, 1));
  }
  const paired = new Set(Object.values(pairs));
  for (const person of persons[1]) if (!paired.has(person.id)) lanes.push(lane(person, 1));
  return { lanes, persons };
}

async function start() {
  const desk = byId("desk");
  const both = await Promise.all(
    [desk.dataset.first, desk.dataset.second].map(async (address) => prepare(await read(`${address}/desk?scores=all`))),
  );
  const { lanes, persons } = lanesOf(both, JSON.parse(desk.dataset.pairs));
  const { raw, still } = both[0];
  byId("review").hidden = false;
  showFor(raw.media.kind);
  let side = 0;
  const flagged = both.map((data) => new Set(data.raw.segments.filter((segment) => segment.flagged).map((segment) => segment.person)));
  const view = {
    persons: () => persons[side], flagged: () => flagged[side], peaks: () => [], get rules() { return both[side].raw.rules; },
  };
  let timeline = null;
  const player = new Player(both[0], view, (time) => {
    byId("now").textContent = timecode(time);
    timeline?.setTime(time);
  });
  byId("lane-names").classList.toggle("low", lanes.length > ROOMY);
  byId("lane-names").replaceChildren(...lanes.map((lane) => el("li", {}, lane.name)));
  if (!still) {
    timeline = new Timeline({
      lanes: () => lanes, cuts: raw.cuts, gaps: raw.gaps, rules: raw.rules, duration: raw.media.duration,
      onSeek: (time) => player.seek(time), onSelect: () => {},
    });
    timeline.fit();
    for (const details of document.querySelectorAll(".both-figures")) details.open = false;
  }
  wirePlayback(player, timeline);
  byId("shown-side").addEventListener("change", (event) => { side = Number(event.target.value); player.draw(); });
  listen(playbackKeys(player, timeline));
  player.seek(raw.segments[0]?.start ?? both[0].frames[0] ?? 0);
}

try {
  await start();
} catch (problem) {
  byId("desk-problem").hidden = false;
  console.error(problem);
}

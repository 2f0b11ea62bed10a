// The analysis as arrays: the machine's scores, and the persons after the reviewers' changes.

import { _ } from "../language.js";
import { lowerBound } from "../numbers.js";
import { inOrder, current, verified } from "./annotations.js";

const STALE = 0.3; // seconds; a box is not extended over a longer gap

const FIELDS = [["time", Float64Array], ["track", Int32Array], ["box", Float32Array], ["score", Float64Array],
  ["smooth", Float64Array], ["interpolated", Uint8Array], ["low", Float64Array], ["high", Float64Array],
  ["reach", Float32Array]];

/**
 * The scores of one face in order of time. A score is NaN if the face could not be judged; `reach` is for how
 * many seconds the line continues after each one.
 */
function arrays(person, rules, outline) {
  const numbers = (values) => Float64Array.from(values, (value) => (value === null ? NaN : value));
  const scores = {
    time: numbers(person.time), track: Int32Array.from(person.track), box: Float32Array.from(person.box),
    score: numbers(person.score), smooth: numbers(person.smooth), interpolated: Uint8Array.from(person.interpolated),
  };
  scores.reach = new Float32Array(scores.time.length).fill(Math.max(rules.bridge_gap, outline ? 2.5 * outline.bucket : 0));
  if (outline) Object.assign(scores, { low: numbers(person.low), high: numbers(person.high) });
  else spread(scores, rules.median_window);
  return scores;
}

const momentsOf = (byPerson) => {
  const moments = new Set();
  for (const scores of byPerson.values()) for (const time of scores.time) moments.add(time);
  return Float64Array.from(moments).sort();
};

const LONGER = 0.25; // seconds; codecs fill the sound of most videos up by less

/** The seconds that player and timeline span: sound can go on after the last picture. */
function wholeDuration({ media, voice }) {
  return voice?.end > media.duration + LONGER ? voice.end : media.duration;
}

/** Prepare the desk's document for lookup by time. A long analysis has an outline, for `fillStretch`. */
export function prepare(raw) {
  const scores = new Map(raw.persons.map((person) => [person.id, arrays(person, raw.rules, raw.outline)]));
  const data = { raw, scores, frames: momentsOf(scores), still: raw.media.kind === "image", pieces: new Map(), duration: wholeDuration(raw) };
  data.outline = { scores, frames: data.frames };
  data.others = (raw.others ?? []).map((other) => ({
    ...other,
    scores: new Map(other.persons.map((person) => [person.id, arrays(person, raw.rules, raw.outline)])),
  }));
  data.stretches = raw.outline ? Math.max(1, Math.ceil(raw.media.duration / raw.outline.stretch)) : 0;
  return data;
}

/** Replace the outline of stretch number `index`, and a little on both sides, with its scores. */
export function fillStretch(data, index, persons) {
  const [from, to] = bounds(data, index);
  const scores = new Map(persons.map((person) => [person.id, part(arrays(person, data.raw.rules), from, to)]));
  data.pieces.set(index, { scores, frames: momentsOf(scores) });
  const order = Array.from({ length: data.stretches }, (_, k) => data.pieces.get(k) ?? cutOut(data, k));
  data.scores = new Map(data.raw.persons.map(({ id }) => [id, together(order.map((piece) => piece.scores.get(id)))]));
  data.frames = joinedArrays(Float64Array, order.map((piece) => piece.frames));
}

function bounds(data, index) {
  const { stretch } = data.raw.outline;
  return [index ? index * stretch : -Infinity, index + 1 < data.stretches ? (index + 1) * stretch : Infinity];
}

function cutOut(data, index) {
  const [from, to] = bounds(data, index);
  const { frames } = data.outline;
  return {
    scores: new Map([...data.outline.scores].map(([id, whole]) => [id, part(whole, from, to)])),
    frames: frames.subarray(lowerBound(frames, from), lowerBound(frames, to)),
  };
}

function part(scores, from, to) {
  const [first, last] = [lowerBound(scores.time, from), lowerBound(scores.time, to)];
  return Object.fromEntries(FIELDS.map(([name]) => {
    const wide = name === "box" ? 4 : 1;
    return [name, scores[name].subarray(wide * first, wide * last)];
  }));
}

const together = (parts) => Object.fromEntries(
  FIELDS.map(([name, kind]) => [name, joinedArrays(kind, parts.map((one) => one[name]))]),
);

function joinedArrays(Kind, parts) {
  const all = new Kind(parts.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of parts) {
    all.set(one, at);
    at += one.length;
  }
  return all;
}

/** The middle half of the scores within the median window around each one: how uncertain the line is. */
function spread(scores, window) {
  const count = scores.time.length;
  scores.low = new Float64Array(count).fill(NaN);
  scores.high = new Float64Array(count).fill(NaN);
  for (const indices of usableByTrack(scores).values()) {
    const near = [];
    let first = 0;
    let last = 0;
    for (let i = 0; i < indices.length; i += 1) {
      const middle = scores.time[indices[i]];
      while (last < indices.length && scores.time[indices[last]] <= middle + window / 2 + 1e-9) last += 1;
      while (scores.time[indices[first]] < middle - window / 2 - 1e-9) first += 1;
      near.length = 0;
      for (let j = first; j < last; j += 1) near.push(scores.score[indices[j]]);
      near.sort((a, b) => a - b);
      scores.low[indices[i]] = near[Math.floor((near.length - 1) / 4)];
      scores.high[indices[i]] = near[Math.ceil(3 * (near.length - 1) / 4)];
    }
  }
}

/** Indices of judged scores in order, by track. */
export function usableByTrack(scores) {
  const tracks = new Map();
  for (let i = 0; i < scores.time.length; i += 1) {
    if (Number.isNaN(scores.smooth[i])) continue;
    if (!tracks.has(scores.track[i])) tracks.set(scores.track[i], []);
    tracks.get(scores.track[i]).push(i);
  }
  return tracks;
}

/** Letters after the machine's: 0 is A, 26 is AA. */
function letters(rank) {
  let text = "";
  for (let left = rank + 1; left > 0; left = Math.floor((left - 1) / 26)) text = String.fromCharCode(65 + ((left - 1) % 26)) + text;
  return text;
}

/** The default name of a person. */
export const personName = (person) => _("Person %(person)s", { person });

/**
 * The persons after the reviewers' renames, merges and splits. Reports keep the machine's letters and list the
 * changes; `_tracks` in `reports/review/annotations.py` checks annotations by the same rules, and
 * `tests/reports/reviewed_persons.py` compares both.
 * Each has an id, a name, tracks, and scores as arrays. Acts of unverified authors change nothing.
 */
export function reviewedPersons(data, annotations) {
  const tracks = new Map(data.raw.persons.map((person) => [person.id, new Set(person.tracks)]));
  const names = new Map(data.raw.persons.map(({ id }) => [id, personName(id)]));
  const acts = current(annotations).filter(verified);
  // Each split has its own letter, withdrawn or not, so that a name cannot pass to another person.
  const splits = inOrder(annotations).filter((one) => one.kind === "split" && verified(one)).map((one) => one.id);
  for (const act of acts) {
    const own = tracks.get(act.person);
    if (act.kind === "split" && own) {
      const off = act.tracks.filter((track) => own.has(track));
      if (!off.length || off.length === own.size) continue;
      off.forEach((track) => own.delete(track));
      const fresh = letters(data.raw.persons.length + splits.indexOf(act.id));
      tracks.set(fresh, new Set(off));
      names.set(fresh, personName(fresh));
    } else if (act.kind === "merge" && own && tracks.has(act.into)) {
      own.forEach((track) => tracks.get(act.into).add(track));
      tracks.delete(act.person);
    }
  }
  for (const act of acts) if (act.kind === "rename" && tracks.has(act.person)) names.set(act.person, act.name);
  return [...tracks].map(([id, own]) => ({ id, name: names.get(id), tracks: own, scores: scoresOf(data, id, own) }));
}

function scoresOf(data, id, tracks) {
  const machine = data.raw.persons.find((person) => person.id === id);
  if (machine && machine.tracks.length === tracks.size && machine.tracks.every((track) => tracks.has(track))) {
    return data.scores.get(id);
  }
  const picked = [];
  for (const one of data.scores.values()) {
    for (let i = 0; i < one.time.length; i += 1) if (tracks.has(one.track[i])) picked.push([one, i]);
  }
  picked.sort(([a, i], [b, j]) => a.time[i] - b.time[j]);
  return Object.fromEntries(FIELDS.map(([name, Kind]) => [name, name === "box"
    ? Kind.from(picked.flatMap(([one, i]) => [...one.box.subarray(4 * i, 4 * i + 4)]))
    : Kind.from(picked, ([one, i]) => one[name][i])]));
}

/** The position of a face at a time, interpolated between two scores; null if it is not visible. */
export function boxAt(scores, time) {
  const after = lowerBound(scores.time, time - 1e-6);
  const at = (i) => scores.box.subarray(4 * i, 4 * i + 4);
  if (after < scores.time.length && scores.time[after] - time < 1e-3) return { index: after, box: at(after) };
  const before = after - 1;
  if (before < 0) return null;
  if (after >= scores.time.length || scores.track[before] !== scores.track[after] || scores.time[after] - scores.time[before] > STALE) {
    return time - scores.time[before] < STALE / 2 ? { index: before, box: at(before) } : null;
  }
  const share = (time - scores.time[before]) / (scores.time[after] - scores.time[before]);
  const from = at(before);
  const to = at(after);
  return { index: share < 0.5 ? before : after, box: from.map((value, k) => value + share * (to[k] - value)) };
}

/** The sample nearest to a time, or -1 beyond `reach` seconds. */
export function nearest(scores, time, reach) {
  const after = lowerBound(scores.time, time);
  let best = -1;
  for (const i of [after - 1, after]) {
    if (i < 0 || i >= scores.time.length) continue;
    const away = Math.abs(scores.time[i] - time);
    if (away <= reach && (best < 0 || away < Math.abs(scores.time[best] - time))) best = i;
  }
  return best;
}

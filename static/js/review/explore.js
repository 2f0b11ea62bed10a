// Segments at another threshold, by the rules of detector.segments.rules. For exploration only.

import { usableByTrack } from "./data.js";

function runs(times, values, enter, leave, mostGap) {
  const found = [];
  let start = -1;
  let reached = false;
  for (let i = 0; i < values.length; i += 1) {
    if (start >= 0 && (values[i] < leave || times[i] - times[i - 1] > mostGap)) {
      if (reached) found.push([start, i - 1]);
      start = -1;
      reached = false;
    }
    if (values[i] >= leave && start < 0) start = i;
    reached = reached || (start >= 0 && values[i] >= enter);
  }
  if (start >= 0 && reached) found.push([start, values.length - 1]);
  return found;
}

function joined(intervals, gap) {
  const out = [];
  for (const [start, end] of intervals) {
    if (out.length && start - out[out.length - 1][1] < gap) out[out.length - 1][1] = Math.max(out[out.length - 1][1], end);
    else out.push([start, end]);
  }
  return out;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(half)] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The number of the sampling interval of a time, which was rounded to a ten-thousandth. */
export const sampleOf = (time, rules) => Math.floor((time + 6e-5) * rules.sample_rate);

/** Whether an interval is long enough, including the sampling interval of its last sample. */
function isLongEnough(start, end, rules) {
  if (end <= start && rules.minimum_duration > 0) return false;
  const samples = sampleOf(end, rules) - sampleOf(start, rules) + 1;
  return samples / rules.sample_rate >= rules.minimum_duration - 1e-9;
}

/** Intervals of one series, as indices of their first and last entry. */
function intervals(times, values, rules, enter) {
  const leave = Math.min(rules.exit, enter);
  const samples = times.filter((time, i) => !i || sampleOf(time, rules) !== sampleOf(times[i - 1], rules));
  const steps = samples.slice(1).map((time, i) => time - samples[i]);
  const mostGap = steps.length ? Math.max(rules.bridge_gap, 1.5 * median(steps)) : rules.bridge_gap;
  const out = [];
  for (const [first, last] of runs(times, values, enter, leave, mostGap)) {
    if (out.length && times[first] - times[out[out.length - 1][1]] < rules.merge_gap) out[out.length - 1][1] = last;
    else out.push([first, last]);
  }
  return out.filter(([first, last]) => isLongEnough(times[first], times[last], rules));
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

const ALMOST_NEVER = 1e-12;

const logit = (p) => Math.log(Math.max(p, ALMOST_NEVER) / Math.max(1 - p, ALMOST_NEVER));

/** Move both ends of an interval to where its logits come near its level (`narrow` in the rules of the engine). */
function narrowed([first, last], times, values, rules, enter) {
  if (!rules.edge_level) return [first, last];
  const leave = logit(Math.min(rules.exit, enter));
  const level = median(values.slice(first, last + 1).filter((value) => value >= enter).map(logit));
  const near = Math.min(level, leave + rules.edge_level * (level - leave));
  let start = first;
  let end = last;
  while (logit(values[start]) < near) start += 1;
  while (logit(values[end]) < near) end -= 1;
  return isLongEnough(times[start], times[end], rules) ? [start, end] : [first, last];
}

/** Whether a track reaches the threshold on average (`find_whole` in the rules of the engine). */
function isHighThroughout(times, scores, rules, enter) {
  const samples = new Map();
  times.forEach((time, i) => {
    const number = sampleOf(time, rules);
    samples.set(number, [...(samples.get(number) ?? []), logit(scores[i])]);
  });
  const means = [...samples.values()].map(mean);
  return means.length >= rules.minimum_usable_frames && mean(means) >= logit(enter);
}

/** The median in a window around each time, with at least one neighbour on each side; of two values, the lower. */
function slidingMedian(times, values, window) {
  return values.map((_, i) => {
    const near = values.filter((__, j) => Math.abs(i - j) <= 1 || Math.abs(times[j] - times[i]) <= window / 2 + 1e-9);
    return near.sort((a, b) => a - b)[Math.floor((near.length - 1) / 2)];
  });
}

/** Intervals in tracks that are too short by themselves: laid end to end, they count as one track. */
function inPieces(tracks, rules, enter) {
  const line = [];
  let end = 0;
  tracks.forEach((track, number) => {
    const began = sampleOf(track.times[0], rules);
    track.times.forEach((time, i) => {
      line.push({ number, time, value: track.values[i], at: (end + sampleOf(time, rules) - began) / rules.sample_rate });
    });
    end += sampleOf(track.times[track.times.length - 1], rules) - began + 1;
  });
  const at = line.map((one) => one.at);
  const heights = slidingMedian(at, line.map((one) => one.value), rules.median_window);
  return intervals(at, heights, rules, enter).flatMap(([first, last]) => {
    const inside = line.slice(first, last + 1);
    return tracks.map((_, number) => inside.filter((one) => one.number === number))
      .filter((piece) => piece.length > 1)
      .map((piece) => [piece[0].time, piece[piece.length - 1].time]);
  });
}

/** Intervals [start, end] in seconds that would be flagged of one person's scores, as arrays, if segments opened at `enter`. */
export function wouldFlag(scores, rules, enter) {
  const all = [];
  const short = [];
  for (const indices of usableByTrack(scores).values()) {
    const times = indices.map((i) => scores.time[i]);
    const values = indices.map((i) => scores.smooth[i]);
    const ranges = intervals(times, values, rules, enter)
      .map((interval) => narrowed(interval, times, values, rules, enter));
    const raw = indices.map((i) => scores.score[i]);
    if (!ranges.length && isHighThroughout(times, raw, rules, enter)) ranges.push([0, times.length - 1]);
    all.push(...ranges.map(([first, last]) => [times[first], times[last]]));
    if (times.length > 1 && !isLongEnough(times[0], times[times.length - 1], rules)) short.push({ times, values });
  }
  if (short.length > 1) all.push(...inPieces(short, rules, enter));
  return joined(all.sort((a, b) => a[0] - b[0]), rules.merge_gap);
}

// Rules for the windows of a voice, as in detector.voice.findings; a test compares them. Times are in seconds.
const VOICE_GAP = 1.5;
const VOICE_MERGE = 1.0;
const FEWEST_WINDOWS = 2;

/**
 * Intervals [start, end] in seconds that would be flagged of a lane of the sound if segments opened at `enter`. Each
 * score stands for a number of `windows`, and is `step` seconds from the next. Intervals end half a step beside the
 * middle of a window, while recorded segments end with the speech.
 */
export function wouldHear({ scores, leave, windows, step, reach }, enter) {
  const { time, smooth } = scores;
  const spans = runs(time, smooth, enter, Math.min(leave, enter), Math.max(VOICE_GAP, reach))
    .map(([first, last]) => [time[first], time[last]]);
  return joined(spans, VOICE_MERGE)
    .filter(([start, end]) => (time.indexOf(end) - time.indexOf(start) + 1) * windows >= Math.min(FEWEST_WINDOWS, time.length))
    .map(([start, end]) => [Math.max(0, start - step / 2), end + step / 2]);
}

/** Lists of the names of recorded segments that lie in one and the same interval. */
export function mergers(explored, segments) {
  return explored
    .map(([start, end]) => segments.filter((segment) => segment.start <= end && segment.end >= start).map((segment) => segment.name ?? segment.id))
    .filter((names) => names.length > 1);
}

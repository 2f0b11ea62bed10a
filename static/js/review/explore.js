// What another threshold would flag, by the rules of detector.segments.rules. Exploration only.

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

/** The number of the sampling interval that a time lies in, which was rounded to a ten-thousandth. */
export const sampleOf = (time, rules) => Math.floor((time + 6e-5) * rules.sample_rate);

/** Intervals [start, end] in seconds that would be flagged in one lane if segments opened at `enter`. */
export function wouldFlag(lane, rules, enter) {
  const leave = Math.min(rules.exit, enter);
  const all = [];
  for (const indices of usableByTrack(lane).values()) {
    const times = indices.map((i) => lane.time[i]);
    const values = indices.map((i) => lane.smooth[i]);
    const samples = times.filter((time, i) => !i || sampleOf(time, rules) !== sampleOf(times[i - 1], rules));
    const steps = samples.slice(1).map((time, i) => time - samples[i]);
    const mostGap = steps.length ? Math.max(rules.bridge_gap, 1.5 * median(steps)) : rules.bridge_gap;
    const found = runs(times, values, enter, leave, mostGap).map(([a, b]) => [times[a], times[b]]);
    all.push(...joined(found, rules.merge_gap).filter(([a, b]) => b - a >= rules.minimum_duration - 1e-9));
  }
  return joined(all.sort((a, b) => a[0] - b[0]), rules.merge_gap);
}

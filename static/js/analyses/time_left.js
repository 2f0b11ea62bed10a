// How long an analysis will still take: its progress is weighted by the measured cost of its stages.

import { _ } from "../language.js";

const LEAST_SHARE = 0.05;
const LEAST_SECONDS = 3; // before that the time says more of how the process started than of the work

/** The time left in words; "" as long as nothing can be said. */
export function timeLeft({ state, progress, started }, now = Date.now()) {
  const elapsed = started ? (now - Date.parse(started)) / 1000 : 0;
  if (state !== "running" || progress < LEAST_SHARE || progress >= 1 || elapsed < LEAST_SECONDS) return "";
  const left = elapsed * (1 - progress) / progress;
  return left < 60
    ? _("about %(seconds)s s", { seconds: Math.max(5, 5 * Math.ceil(left / 5)) })
    : _("about %(minutes)s min", { minutes: Math.ceil(left / 60) });
}

/** How far a running analysis is, in words for a list. */
export function runningWords(status, share) {
  const left = timeLeft(status);
  return left ? _("Running, %(share)s, %(left)s left", { share, left }) : _("Running, %(share)s", { share });
}

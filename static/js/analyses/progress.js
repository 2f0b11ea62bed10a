// Follows an analysis or a comparison until it has ended or is paused, then shows its page.
// Polls often at first and while it runs, less often the longer it waits or does not respond.

import { byId } from "../dom.js";
import { follow } from "./follow.js";
import { capitalized, timecode } from "../formats.js";
import { _, ngettext, percentDone } from "../language.js";
import { moveOn } from "../leaving.js";
import { timeLeft } from "./time_left.js";

const address = byId("progress").dataset.status;
const ENDED = byId("progress").dataset.noun === "comparison" ? {
  done: _("The comparison is done"),
  failed: _("The comparison failed"),
  cancelled: _("The comparison was cancelled"),
  paused: _("The comparison is paused"),
} : {
  done: _("The analysis is done"),
  failed: _("The analysis failed"),
  cancelled: _("The analysis was cancelled"),
  paused: _("The analysis is paused"),
};
let started = null;
let latest = null; // the last status
let announced = "";

function elapsed() {
  if (started === null) return;
  const seconds = Math.max(0, Math.floor((Date.now() - started) / 1000));
  byId("elapsed").textContent = timecode(seconds).slice(0, 8);
  byId("left").textContent = timeLeft(latest) || "–";
}

function waiting(ahead) {
  if (!ahead) return _("Waiting for the worker");
  return ngettext("Waiting: %(num)s job ahead", "Waiting: %(num)s jobs ahead", ahead);
}

function show(status) {
  byId("unreachable").hidden = true;
  latest = status;
  const running = status.state === "running";
  const words = running ? capitalized(status.stage) : waiting(status.ahead);
  byId("state").textContent = running ? _("Running") : _("Queued");
  byId("stage").textContent = words;
  if (running) byId("bar").value = status.progress;
  else byId("bar").removeAttribute("value");
  for (const part of document.querySelectorAll("[data-only]")) part.hidden = part.dataset.only !== status.state;
  byId("percent").textContent = percentDone(status.progress);
  byId("again").hidden = status.attempt < 2;
  byId("attempt").textContent = status.attempt;
  const copies = byId("copies-found");
  if (copies && status.copies) copies.hidden = false;
  started = running && status.started ? Date.parse(status.started) : null;
  if (started === null) byId("elapsed").textContent = byId("left").textContent = "–";
  elapsed();
  if (words !== announced) { // a screen reader hears stages, not every percent
    announced = words;
    byId("announce").textContent = words;
  }
}

setInterval(elapsed, 1000);
follow(address, {
  onStatus: show,
  onSilence: () => { byId("unreachable").hidden = false; },
  onEnd: (status) => {
    byId("announce").textContent = ENDED[status.state];
    moveOn(() => window.location.reload());
  },
  onFinding: () => {
    byId("announce").textContent = _("The finding is final; pictures follow");
    moveOn(() => window.location.reload());
  },
  onGone: () => moveOn(() => window.location.reload()), // to be told when it was deleted
  onSignedOut: () => moveOn(() => window.location.reload()), // to sign in, and come back
}, true);

// Buttons, sliders, tabs and keys of the desk.

import { byId, el } from "../dom.js";
import { _ } from "../language.js";
import { KEYS, PHOTO_KEYS, SOUND_STEP, VOICE_KEYS, listen } from "./keys.js";
import { lightbox } from "./pictures.js";
import { playbackKeys, press, wirePlayback } from "./playback.js";
import { say } from "./toast.js";

/** Connect the controls to `desk`, once. */
export function wireControls(desk) {
  const { player } = desk;
  wirePlayback(player, desk.timeline);
  press("segment-back", () => desk.neighbour(-1));
  press("segment-on", () => desk.neighbour(1));
  press("rename-reviewer", () => desk.askName());
  press("show-keys", () => byId("keys").showModal());
  press("explore-reset", () => { desk.explore(null); if (desk.sound) desk.exploreVoice(null); });
  press("save-annotations", () => saveAnnotations(desk));
  byId("show-boxes").addEventListener("change", (event) => { player.overlay.boxes = event.target.checked; player.draw(); });
  byId("heat").addEventListener("input", (event) => {
    const value = Number(event.target.value);
    player.overlay.heat = Math.min(1, value);
    player.overlay.dim = Math.max(0, value - 1);
    player.draw();
  });
  byId("explore").addEventListener("input", (event) => desk.explore(Number(event.target.value)));
  byId("explore-voice").addEventListener("input", (event) => desk.exploreVoice(Number(event.target.value)));
  byId("keys-table").replaceChildren(...keysOf(desk).map(([keys, words]) => el("tr", {},
    el("th", { scope: "row" }, keys.split(" ").map((key) => el("kbd", {}, key))),
    el("td", {}, words))));
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.querySelectorAll("[data-close]").forEach((button) => button.addEventListener("click", () => dialog.close()));
  }
  lightbox();
  wireTabs(desk);
  const judge = (verdict) => (event) => { if (!event.repeat) desk.judgeSegment(verdict); }; // a held key counts once
  const shared = {
    n: () => desk.neighbour(1), p: () => desk.neighbour(-1), a: judge("agree"), d: judge("disagree"), u: judge("unsure"),
    "?": () => byId("keys").showModal(),
  };
  listen({ ...shared, ...(player.photo ? photoKeys(player.photo) : videoKeys(desk)) });
}

function keysOf(desk) {
  if (desk.data.still) return PHOTO_KEYS;
  const keys = desk.data.raw.media.kind === "audio" ? KEYS.with(1, SOUND_STEP) : KEYS;
  return desk.sound ? [...keys.slice(0, 5), ...VOICE_KEYS, ...keys.slice(5)] : keys;
}

async function saveAnnotations(desk) {
  try {
    await desk.store.save();
  } catch (problem) { // over plain HTTP, browsers cannot compute the checksum
    console.error(problem);
    desk.complain(_("The file could not be made. Open this page from disk or over HTTPS and save again."));
    return;
  }
  desk.drawAll();
  say(_("Saved. Import the file into Reelproof to keep the annotations there."));
}

function videoKeys(desk) {
  const { player, timeline } = desk;
  const second = (direction) => { player.pause(); player.seek(player.time + direction); };
  return {
    ...playbackKeys(player, timeline), "=": () => timeline.zoom(0.5),
    "Shift+ArrowLeft": () => second(-1), "Shift+ArrowRight": () => second(1),
    v: () => desk.sound?.neighbour(1, true), b: () => desk.sound?.again(),
    i: () => desk.annotationPanel.markAt("start"), o: () => desk.annotationPanel.markAt("end"),
  };
}

/** Zoom and pan of a photo with buttons and keys. */
function photoKeys(photo) {
  const acts = { "photo-out": () => photo.step(-1), "photo-in": () => photo.step(1), "photo-fit": () => photo.whole(), "photo-pixels": () => photo.pixels() };
  for (const [id, act] of Object.entries(acts)) press(id, act);
  const grid = () => { byId("face-grid").click(); };
  return {
    "+": acts["photo-in"], "=": acts["photo-in"], "-": acts["photo-out"], 0: acts["photo-fit"], 1: acts["photo-pixels"], g: grid,
    ArrowLeft: () => photo.pan(-1, 0), ArrowRight: () => photo.pan(1, 0), ArrowUp: () => photo.pan(0, -1), ArrowDown: () => photo.pan(0, 1),
  };
}

function wireTabs(desk) {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  for (const [index, button] of tabs.entries()) {
    const name = button.id.slice("tab-".length);
    button.addEventListener("click", () => desk.tab(name));
    button.addEventListener("keydown", (event) => {
      const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!way) return;
      event.preventDefault();
      const next = tabs[(index + way + tabs.length) % tabs.length];
      desk.tab(next.id.slice("tab-".length));
      next.focus();
    });
  }
}

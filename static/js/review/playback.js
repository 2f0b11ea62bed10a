// Buttons and keys of a player and its timeline, on the desk and where two analyses
// are compared.

import { byId, icon } from "../dom.js";

/** Hide controls of videos if the exhibit is a photo. */
export function showFor(kind) {
  for (const part of document.querySelectorAll("[data-video-only]")) part.hidden = kind === "image";
}

/** Call `act` when the button with that id is pressed, if the page has it. */
export function press(id, act) {
  byId(id)?.addEventListener("click", act);
}

/** Connect the buttons, once; a photo has no `timeline`. */
export function wirePlayback(player, timeline) {
  byId("play").replaceChildren(icon("play"), icon("pause"));
  press("play", () => player.toggle());
  press("frame-back", () => player.step(-1));
  press("frame-on", () => player.step(1));
  press("zoom-in", () => timeline?.zoom(0.5));
  press("zoom-out", () => timeline?.zoom(2));
  press("zoom-fit", () => timeline?.fit());
  wireSpeed(player);
}

/** The speed. Chosen by mouse or finger, the keyboard returns to the player; chosen by key, it stays. */
function wireSpeed(player) {
  const rate = byId("rate");
  let pointed = false;
  rate.addEventListener("pointerdown", () => { pointed = true; });
  rate.addEventListener("keydown", () => { pointed = false; });
  rate.addEventListener("change", () => {
    player.video.playbackRate = Number(rate.value);
    if (pointed) byId("play").focus();
  });
}

/** Keys, for `listen`. */
export const playbackKeys = (player, timeline) => ({
  space: () => player.toggle(), ArrowLeft: () => player.step(-1), ArrowRight: () => player.step(1),
  j: () => player.backwards(), k: () => player.pause(), l: () => player.faster(),
  "+": () => timeline?.zoom(0.5), "-": () => timeline?.zoom(2), 0: () => timeline?.fit(),
});

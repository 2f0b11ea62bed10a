// The exhibit of a second review: steps from frame to frame, and takes its time into a stretch.

import { _ } from "./language.js";

const video = document.getElementById("player");
const stretches = document.getElementById("stretches");
if (video) setUp();

function setUp() {
  const offset = Number(video.dataset.offset);
  const out = document.getElementById("now");
  const time = () => Math.max(0, video.currentTime - offset);
  const show = () => {
    out.value = timecode(time());
  };
  for (const event of ["timeupdate", "seeked", "loadedmetadata"]) video.addEventListener(event, show);
  delete document.querySelector(".steps-of-frames").dataset.beforeScript;
  for (const button of document.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => {
      video.pause();
      video.currentTime += Number(button.dataset.step);
    });
  }
  for (const row of stretches?.querySelectorAll(".stretch") ?? []) row.append(takers(row, time));
}

function takers(row, time) {
  const place = document.createElement("div");
  place.className = "take";
  for (const [name, words] of [
    ["start", _("Starts here")],
    ["end", _("Ends here")],
  ]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.addEventListener("click", () => {
      row.querySelector(`[name=${name}]`).value = typed(time());
    });
    place.append(button);
  }
  return place;
}

function typed(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(3).padStart(6, "0")}`;
}

function timecode(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const millis = Math.floor((seconds - whole) * 1000);
  return `${parts.map((part) => String(part).padStart(2, "0")).join(":")}.${String(millis).padStart(3, "0")}`;
}

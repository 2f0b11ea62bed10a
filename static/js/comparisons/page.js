// The page of a comparison with a reference: both files side by side in time, and the kept pictures.

import { byId } from "../dom.js";
import { timecode } from "../formats.js";
import { _ } from "../language.js";
import { listen } from "../review/keys.js";
import { Moments } from "./moments.js";
import { Players } from "./players.js";

function moments() {
  const found = [...document.querySelectorAll(".triple")].map((part) => (
    { about: part.dataset.about, ...JSON.parse(part.dataset.pictures) }
  ));
  if (!found.length || !byId("moments")) return null;
  return new Moments(found);
}

/** Moves the line of each file in the time map; out of sight where it has no moment. */
function moveHeads(time, reference, files) {
  const place = (value, file) => (value === null || !file.duration ? -10 : (1000 * value) / file.duration);
  const values = { exhibit: place(time, files[0]), reference: place(reference, files[1]) };
  for (const line of document.querySelectorAll(".time-map-head")) {
    line.setAttribute("x1", values[line.dataset.side]);
    line.setAttribute("x2", values[line.dataset.side]);
  }
}

/** Goes to the next segment, or with a `direction` of -1 to the one before. */
function toSegment(players, segments, direction) {
  const starts = segments.map((one) => one.start).sort((a, b) => a - b);
  const near = players.frame;
  const found = direction > 0
    ? starts.find((start) => start > players.time + near)
    : starts.findLast((start) => start < players.time - near);
  if (found !== undefined) players.seek(found);
}

/** Has the buttons that name a moment lead there, and to the pictures kept of it. */
function leadToMoments(players, pictures) {
  for (const button of document.querySelectorAll("[data-seek]")) {
    button.disabled = false;
    button.addEventListener("click", () => {
      players.pause();
      players.seek(Number(button.dataset.seek));
      pictures?.about(button.dataset.about);
    });
  }
}

/** Connects both players to the controls, the time map and the kept pictures. */
function playTogether(data, pictures) {
  const seek = byId("seek");
  const play = byId("play");
  const figures = [...document.querySelectorAll(".side-file")];
  const players = new Players(figures, data, (time, reference) => {
    const words = timecode(time);
    byId("now").textContent = words;
    seek.value = String(time);
    seek.setAttribute("aria-valuetext", words);
    players.sides[0].output.replaceChildren(words);
    players.sides[1].output.replaceChildren(reference === null ? _("not in the reference") : timecode(reference));
    play.classList.toggle("playing", players.playing);
    play.setAttribute("aria-label", players.playing ? _("Pause") : _("Play"));
    moveHeads(time, reference, data.files);
  });
  byId("controls").hidden = false;
  seek.max = String(players.length);
  const toggle = async () => {
    if (players.playing) players.pause();
    else await players.play();
    players.onTime(players.time, players.map.reference(players.time));
  };
  const segment = (direction) => toSegment(players, data.segments, direction);
  play.addEventListener("click", toggle);
  byId("frame-back").addEventListener("click", () => players.step(-1));
  byId("frame-on").addEventListener("click", () => players.step(1));
  byId("segment-back")?.addEventListener("click", () => segment(-1));
  byId("segment-on")?.addEventListener("click", () => segment(1));
  seek.addEventListener("input", () => {
    if (players.playing) players.pause();
    players.seek(Number(seek.value));
  });
  leadToMoments(players, pictures);
  listen({
    space: toggle,
    ArrowLeft: () => players.step(-1),
    ArrowRight: () => players.step(1),
    p: () => segment(-1),
    n: () => segment(1),
    b: () => pictures?.look("blink"),
  });
  players.seek(data.segments[0]?.start ?? data.pieces[0]?.exhibit[0] ?? 0);
}

try {
  const desk = byId("comparison");
  const pictures = moments();
  if ("apart" in desk.dataset) {
    listen({ b: () => pictures?.look("blink") });
  } else {
    playTogether(JSON.parse(desk.dataset.comparison), pictures);
  }
  desk.dataset.ready = "";
} catch (problem) {
  byId("comparison-problem").hidden = false;
  console.error(problem);
}

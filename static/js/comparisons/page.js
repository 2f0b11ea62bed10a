// The page of a comparison with a reference: synchronised players of both files, and pictures of the result.

import { byId } from "../dom.js";
import { timecode } from "../formats.js";
import { _ } from "../language.js";
import { listen } from "../review/keys.js";
import { Moments } from "./moments.js";
import { Players } from "./players.js";

function moments() {
  const triples = [...document.querySelectorAll(".triple")].map((triple) => (
    { about: triple.dataset.about, ...JSON.parse(triple.dataset.pictures) }
  ));
  return triples.length && byId("moments") ? new Moments(triples) : null;
}

/** Move the line of each file in the time map; out of sight if the file has no such moment. */
function moveHeads(time, reference, files) {
  const place = (value, file) => (value === null || !file.duration ? -10 : (1000 * value) / file.duration);
  const values = { exhibit: place(time, files[0]), reference: place(reference, files[1]) };
  for (const line of document.querySelectorAll(".time-map-head")) {
    line.setAttribute("x1", values[line.dataset.side]);
    line.setAttribute("x2", values[line.dataset.side]);
  }
}

/** Seek to the next segment, or with a `direction` of -1 to the previous one. */
function toSegment(players, segments, direction) {
  const starts = segments.map((segment) => segment.start).sort((a, b) => a - b);
  const start = direction > 0
    ? starts.find((start) => start > players.time + players.frame)
    : starts.findLast((start) => start < players.time - players.frame);
  if (start !== undefined) players.seek(start);
}

/** Make the buttons of moments seek there and show the pictures of that moment. */
function connectMomentButtons(players, pictures) {
  for (const button of document.querySelectorAll("[data-seek]")) {
    button.disabled = false;
    button.addEventListener("click", () => {
      players.pause();
      players.seek(Number(button.dataset.seek));
      pictures?.showFor(button.dataset.about);
    });
  }
}

/** Connect both players with the controls, the time map and the pictures. */
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
  connectMomentButtons(players, pictures);
  listen({
    space: toggle,
    ArrowLeft: () => players.step(-1),
    ArrowRight: () => players.step(1),
    p: () => segment(-1),
    n: () => segment(1),
    b: () => pictures?.setView("blink"),
  });
  players.seek(data.segments[0]?.start ?? data.pieces[0]?.exhibit[0] ?? 0);
}

try {
  const desk = byId("comparison");
  const pictures = moments();
  if ("apart" in desk.dataset) {
    listen({ b: () => pictures?.setView("blink") });
  } else {
    playTogether(JSON.parse(desk.dataset.comparison), pictures);
  }
  desk.dataset.ready = "";
} catch (problem) {
  byId("comparison-problem").hidden = false;
  console.error(problem);
}

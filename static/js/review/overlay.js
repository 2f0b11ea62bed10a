// Drawings over the exhibit, in step with the picture: boxes with scores, heatmaps, and the enlarged photo.
// where it is enlarged.

import { byId } from "../dom.js";
import { probability } from "../formats.js";
import { _, percent } from "../language.js";
import { clamp } from "../numbers.js";
import { boxAt } from "./data.js";

export const REACH = 0.06; // seconds around a peak frame in which its heatmap is shown
const LABEL = 18; // px: height of a label

export class Overlay {
  /**
   * `view` provides what to draw: `persons()`, `flagged()`, the set of their ids, `peaks()`, `rules`, and perhaps
   * `moving(time)`, heatmaps of single frames. `photo` is the photo view, null for a video. `redraw` is called when a heatmap was loaded.
   */
  constructor(data, view, photo, redraw) {
    this.data = data;
    this.view = view;
    this.photo = photo;
    this.redraw = redraw;
    this.boxes = true;
    this.heat = 0.75;
    this.dim = 0; // darkening of a photo, up to 1, while only the heatmap is shown
    this.canvas = byId("boxes");
    this.still = byId("still");
    const style = getComputedStyle(this.canvas);
    this.ground = style.getPropertyValue("--behind-pictures");
    this.under = style.getPropertyValue("--under-pictures"); // a photo's transparent parts
    this.maps = new Map();
    this.drawn = []; // the last drawing, for tests
    this.labels = []; // positions of the last labels
    if (data.still) for (const peak of view.peaks()) this.#map(peak);
  }

  /** Where frame pixels are on the canvas: the picture is fitted into the stage. */
  #fit(box) {
    const { width, height } = this.data.raw.media;
    if (this.photo) return this.photo.place(box);
    const scale = Math.min(box.width / width, box.height / height);
    return { box, scale, x: (box.width - scale * width) / 2, y: (box.height - scale * height) / 2 };
  }

  /** Draw everything for a moment on a stage of this size. */
  draw(time, size) {
    const { box, scale, x, y } = this.#fit(size);
    const dense = window.devicePixelRatio || 1;
    const { canvas } = this;
    if (canvas.width !== Math.round(box.width * dense) || canvas.height !== Math.round(box.height * dense)) {
      canvas.width = Math.round(box.width * dense);
      canvas.height = Math.round(box.height * dense);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, box.width, box.height);
    this.drawn = [];
    if (this.photo) this.#drawPhoto(pen, x, y, scale, dense, size);
    this.#drawMaps(pen, x, y, scale, time);
    if (this.boxes) {
      // Boxes of flagged persons are drawn last, so that no neighbour covers them, but labelled first, because
      // a group photo has no room for all labels.
      const flagged = this.view.flagged();
      const persons = [...this.view.persons()].sort((a, b) => flagged.has(a.id) - flagged.has(b.id));
      const named = persons.map((person) => this.#drawBox(pen, person, x, y, scale, time)).reverse();
      this.labels = [];
      for (const name of named) name?.();
    }
  }

  /** Draw the visible part of a photo unless that is all of it, and darken it while only the heatmap is shown. */
  #drawPhoto(pen, x, y, scale, dense, size) {
    const { still } = this;
    const { width, height } = this.data.raw.media;
    if (this.photo.zoom !== 1 && still.naturalWidth) {
      const own = still.naturalWidth / width;
      const [left, top] = [Math.max(0, -x / scale), Math.max(0, -y / scale)];
      const wide = Math.min(width, (size.width - x) / scale) - left;
      const high = Math.min(height, (size.height - y) / scale) - top;
      pen.fillStyle = this.ground;
      pen.fillRect(0, 0, size.width, size.height);
      pen.imageSmoothingEnabled = (scale * dense) / own < 2;
      pen.imageSmoothingQuality = "high";
      const place = [x + left * scale, y + top * scale, wide * scale, high * scale];
      pen.fillStyle = this.under;
      pen.fillRect(...place);
      pen.drawImage(still, left * own, top * own, wide * own, high * own, ...place);
      pen.imageSmoothingEnabled = true;
    }
    if (this.dim) {
      pen.fillStyle = `rgb(0 0 0 / ${this.dim})`;
      pen.fillRect(x, y, width * scale, height * scale);
    }
    const words = byId("photo-zoom"); // a comparison shows none
    if (words) words.textContent = percent(scale * dense);
  }

  #drawMaps(pen, x, y, scale, time) {
    const { width, height } = this.data.raw.media;
    const moving = this.heat ? this.view.moving?.(time) ?? [] : [];
    for (const { segment, image, part: [left, top, right, bottom] } of moving) {
      pen.globalAlpha = this.heat;
      pen.drawImage(image, x + left * scale, y + top * scale, (right - left) * scale, (bottom - top) * scale);
      pen.globalAlpha = 1;
      this.drawn.push({ moving: segment });
    }
    for (const peak of this.view.peaks()) {
      if (moving.some(({ segment }) => peak.id.startsWith(`${segment}-`))) continue;
      if (!this.heat || (!this.data.still && Math.abs(peak.time - time) > REACH)) continue;
      const map = this.#map(peak);
      if (!map || !map.complete || !map.naturalWidth) continue;
      pen.globalAlpha = this.heat;
      pen.drawImage(map, x, y, width * scale, height * scale);
      pen.globalAlpha = 1;
      this.drawn.push({ map: peak.id });
    }
  }

  #map(peak) {
    if (!peak.map) return null;
    if (!this.maps.has(peak.id)) {
      const image = new Image();
      image.addEventListener("load", this.redraw);
      image.src = peak.map;
      this.maps.set(peak.id, image);
    }
    return this.maps.get(peak.id);
  }

  #boxWords(name, score, state, short = false) {
    const figure = probability(score, this.view.rules.enter);
    if (short) return state === "unusable" ? name : `${name} ${figure}`;
    if (state === "unusable") return _("%(name)s: not judged", { name });
    const known = { name, score: figure };
    if (state !== "high") return `${name}: ${known.score}`;
    return this.photo ? _("%(name)s: %(score)s flagged", known) : _("%(name)s: %(score)s, above the threshold", known);
  }

  // A label is above its box, below one at the upper edge, or inside one without room on both sides; a box outside
  // the visible part of an enlarged photo has none. A name too long for the picture is shortened, so that the
  // rest can be read. Where it would cover another label, `brief` is written instead, above or below, and
  // without room for that, nothing. Returns the written text.
  #drawLabel(pen, name, wordsOf, brief, [left, top, right, bottom], colour) {
    const density = window.devicePixelRatio || 1;
    const [across, down] = [pen.canvas.width / density, pen.canvas.height / density];
    if (right < 0 || left > across || bottom < 0 || top > down) return "";
    pen.font = "600 12px system-ui, sans-serif";
    let words = wordsOf(name);
    for (let kept = [...name]; kept.length && pen.measureText(words).width + 10 > across;) {
      kept = kept.slice(0, -1);
      words = wordsOf(`${kept.join("").trimEnd()}…`);
    }
    const lowest = Math.max(0, down - LABEL);
    const beside = [top - 20, bottom + 2].filter((y) => y >= 0 && y <= lowest);
    const places = beside.length ? beside : [clamp(top + 2, 0, lowest)];
    for (const [text, y] of [[words, places[0]], ...places.map((y) => [brief, y])]) {
      const wide = pen.measureText(text).width + 10;
      const x = clamp(left - 2, 0, Math.max(0, across - wide));
      if (this.labels.some((one) => x < one.x + one.wide && one.x < x + wide && Math.abs(one.y - y) < LABEL)) continue;
      this.labels.push({ x, y, wide });
      pen.globalAlpha = 0.82;
      pen.fillStyle = this.ground;
      pen.fillRect(x, y, wide, LABEL);
      pen.globalAlpha = 1;
      pen.fillStyle = colour;
      pen.fillText(text, x + 5, y + 13);
      return text;
    }
    return "";
  }

  // Returns what names it.
  #drawBox(pen, person, x, y, scale, time) {
    const found = boxAt(person.scores, time);
    if (!found) return null;
    const [left, top, right, bottom] = [...found.box].map((value, k) => value * scale + (k % 2 ? y : x));
    const score = person.scores.smooth[found.index];
    const { enter, exit } = this.view.rules;
    // A face of a photo with a reason against flagging is not flagged, however high its score.
    const high = this.photo ? this.view.flagged().has(person.id) : score >= enter;
    const state = Number.isNaN(score) ? "unusable" : high ? "high" : score >= exit ? "middle" : "low";
    const colour = { unusable: "#c3c9d1", low: "#7fb2ee", middle: "#f2c14e", high: "#ff7a5c" }[state];
    const dash = { unusable: [2, 4], low: [], middle: [8, 4], high: [] }[state];
    pen.setLineDash(dash);
    for (const [ink, width] of [["rgb(0 0 0 / 75%)", 5], [colour, state === "high" ? 3 : 2]]) {
      pen.strokeStyle = ink;
      pen.lineWidth = width;
      pen.strokeRect(left, top, right - left, bottom - top);
    }
    pen.setLineDash([]);
    const screen = [left, top, right, bottom];
    const drawn = { person: person.id, state, words: "", box: [...found.box], at: time, screen };
    this.drawn.push(drawn);
    return () => {
      const brief = this.#boxWords(person.id, score, state, true);
      drawn.words = this.#drawLabel(pen, person.name, (name) => this.#boxWords(name, score, state), brief, screen, colour);
    };
  }
}

// One face of a photograph enlarged: its pixels, the grid of JPEG's blocks, and what a high-pass filter leaves.

import { byId, el } from "../dom.js";
import { _ } from "../language.js";

const ROOM = 1.5; // side of the shown part, relative to the face
const WIDE = 640; // px of a canvas, about, if no enlargement was chosen
const MOST = 4096; // px of a canvas
const TIMES = [1, 2, 4, 8, 16];
const DRAGGED = 5; // screen pixels; a longer movement is not a click
const BLOCK = 8; // px, ISO/IEC 10918-1

export class FaceView {
  constructor(desk) {
    this.desk = desk;
    this.times = null; // null: automatic
    this.drawn = null; // the last drawn face, enlargement and part of the picture
    const score = ({ scores }) => (Number.isNaN(scores.smooth[0]) ? -1 : scores.smooth[0]);
    this.chosen = [...desk.persons].sort((a, b) => score(b) - score(a))[0]?.id ?? null;
    byId("face-choice").addEventListener("change", (event) => this.choose(event.target.value));
    byId("face-times").addEventListener("change", (event) => {
      this.times = Number(event.target.value) || null;
      this.draw();
    });
    byId("face-grid").addEventListener("change", () => this.draw());
    byId("face-find").addEventListener("click", () => desk.player.photo.show(this.#box()));
    desk.player.still.addEventListener("load", () => this.draw());
    desk.player.stage.addEventListener("pointerdown", (event) => { this.pressed = [event.clientX, event.clientY]; });
    desk.player.stage.addEventListener("click", (event) => {
      const [x, y] = this.pressed ?? [event.clientX, event.clientY];
      if (Math.hypot(event.clientX - x, event.clientY - y) < DRAGGED) this.#press(desk.player.photo.pixelAt(event.clientX, event.clientY));
    });
    const frames = [...document.querySelectorAll(".face-frame")];
    for (const frame of frames) {
      frame.addEventListener("scroll", () => frames.forEach((other) => {
        if (other !== frame) other.scrollTo(frame.scrollLeft, frame.scrollTop);
      }));
    }
  }

  choose(id) {
    this.chosen = id;
    this.draw();
  }

  /** Choose the face at a pixel of the photo, and its finding if it has one; of several the smallest. */
  #press({ x, y }) {
    const size = (face) => face.scores.box[2] - face.scores.box[0];
    const [hit] = this.desk.persons.filter(({ scores }) => x >= scores.box[0] && y >= scores.box[1] && x <= scores.box[2] && y <= scores.box[3])
      .sort((a, b) => size(a) - size(b));
    if (!hit) return;
    this.choose(hit.id);
    const segment = this.desk.segments.find((one) => this.desk.personOf(one)?.id === hit.id);
    if (segment) this.desk.choose(segment.id, false);
  }

  #face() { return this.desk.persons.find((one) => one.id === this.chosen) ?? this.desk.persons[0]; }

  #box() { return [...this.#face().scores.box.subarray(0, 4)]; }

  draw() {
    const { desk } = this;
    const face = this.#face();
    const picture = desk.player.still;
    byId("face-panel").hidden = !face || !picture.naturalWidth;
    if (byId("face-panel").hidden) return;
    byId("face-choice").replaceChildren(...desk.persons.map((one) => el("option", { value: one.id, selected: one.id === face.id }, one.name)));
    const { media } = desk.data.raw;
    const own = picture.naturalWidth / media.width; // pixels of the shown picture per pixel of the exhibit
    const part = this.#part(own, picture);
    const possible = TIMES.filter((times) => times === 1 || times * Math.max(part.width, part.height) <= MOST);
    const fitting = Math.max(...possible.filter((times) => times === 1 || times * part.width <= WIDE));
    const times = possible.includes(this.times) ? this.times : fitting;
    byId("face-times").replaceChildren(...possible.map((one) => el("option", { value: one, selected: one === times }, `${one}×`)));
    const pixels = this.#copy(picture, part);
    this.#paint(byId("face-pixels"), pixels, times, part, own);
    const residual = el("canvas", { width: part.width, height: part.height });
    const pen = residual.getContext("2d");
    const able = "filter" in pen;
    if (able) pen.filter = "url(#noise-residual)";
    pen.drawImage(pixels, 0, 0);
    byId("face-residual-frame").hidden = !able;
    byId("face-residual-none").hidden = able;
    if (able) this.#paint(byId("face-residual"), residual, times, part, own);
    const { blocks, copy } = desk.data.raw.photo;
    byId("face-grid-words").textContent = blocks && !copy
      ? _("The grid lies where this JPEG’s blocks of 8 × 8 pixels begin. Edges along it come from compression; a grid that is off it, or missing in a part, can come from a picture inserted or saved before.")
      : !copy ? _("This file is no JPEG: the grid counts from the picture’s corner and says nothing of blocks.")
        : _("What is shown is a copy made for the browser, not the file’s own pixels: grid and residual are the copy’s.");
    const other = this.drawn?.face !== face.id || this.drawn.times !== times;
    this.drawn = { face: face.id, times, part };
    if (other) this.#centre();
  }

  /** Scroll wide content to its middle, where the face is. */
  #centre() {
    for (const frame of document.querySelectorAll(".face-frame")) {
      frame.scrollTo((frame.scrollWidth - frame.clientWidth) / 2, (frame.scrollHeight - frame.clientHeight) / 2);
    }
  }

  /** The part of the picture around the face, in whole pixels. */
  #part(own, picture) {
    const [left, top, right, bottom] = this.#box().map((value) => value * own);
    const side = Math.max(right - left, bottom - top) * ROOM;
    const edge = (middle, size) => [Math.max(0, Math.round(middle - side / 2)), Math.min(size, Math.round(middle + side / 2))];
    const [x0, x1] = edge((left + right) / 2, picture.naturalWidth);
    const [y0, y1] = edge((top + bottom) / 2, picture.naturalHeight);
    return { x: x0, y: y0, width: Math.max(1, x1 - x0), height: Math.max(1, y1 - y0) };
  }

  /** The part as it was analysed: on a plain background where it is transparent. */
  #copy(picture, { x, y, width, height }) {
    const canvas = el("canvas", { width, height });
    const pen = canvas.getContext("2d");
    pen.fillStyle = getComputedStyle(picture).getPropertyValue("--under-pictures");
    pen.fillRect(0, 0, width, height);
    pen.drawImage(picture, x, y, width, height, 0, 0, width, height);
    return canvas;
  }

  #paint(canvas, from, times, part, own) {
    canvas.width = from.width * times;
    canvas.height = from.height * times;
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(from, 0, 0, canvas.width, canvas.height);
    if (!byId("face-grid").checked) return;
    const { width, height, rotation } = this.desk.data.raw.media;
    // The blocks of a turned picture start at another corner.
    const shifted = own === 1 && !this.desk.data.raw.photo.copy;
    const right = shifted && (rotation === 90 || rotation === 180) ? width % BLOCK : 0;
    const bottom = shifted && (rotation === 180 || rotation === 270) ? height % BLOCK : 0;
    const first = (start, offset) => (((offset - start) % BLOCK) + BLOCK) % BLOCK;
    pen.lineWidth = 1;
    for (const [colour, shift] of [["rgb(0 0 0 / 55%)", 0.5], ["rgb(255 255 255 / 75%)", -0.5]]) {
      pen.strokeStyle = colour;
      pen.beginPath();
      for (let x = first(part.x, right); x < part.width; x += BLOCK) {
        pen.moveTo(x * times + shift, 0);
        pen.lineTo(x * times + shift, canvas.height);
      }
      for (let y = first(part.y, bottom); y < part.height; y += BLOCK) {
        pen.moveTo(0, y * times + shift);
        pen.lineTo(canvas.width, y * times + shift);
      }
      pen.stroke();
    }
  }
}

// Zoom of a photo, from the whole picture to single pixels, by wheel, drag, pinch and keys.

import { clamp } from "../numbers.js";

const NEAREST = 40; // screen pixels per pixel of the photo, at most
const STEP = 1.4; // of a button or key
const WHEEL = 0.0016; // of the zoom's logarithm, a pixel of wheel
const PANNED = 0.15; // of the stage, by an arrow key

export class PhotoView {
  /** A photo of this `width` and `height` in `stage`; `changed()` is called after each change. */
  constructor(stage, { width, height }, changed) {
    this.stage = stage;
    this.width = width;
    this.height = height;
    this.changed = changed;
    this.zoom = 1; // relative to the size at which the whole photo fits the stage
    this.centre = { x: width / 2, y: height / 2 }; // pixels of the photograph
    this.pointers = new Map();
    stage.classList.add("zoomable");
    this.#wire();
  }

  /** The position of the photo in a stage of the size of `box`: scale and corner. */
  place(box) {
    const scale = this.#fit(box) * this.zoom;
    return { box, scale, x: box.width / 2 - this.centre.x * scale, y: box.height / 2 - this.centre.y * scale };
  }

  /** Screen pixels per pixel of the photo. */
  get scale() { return this.#fit(this.stage.getBoundingClientRect()) * this.zoom; }

  /** The pixel of the photo at a point of the page. */
  pixelAt(clientX, clientY) {
    const box = this.stage.getBoundingClientRect();
    const { scale, x, y } = this.place(box);
    return { x: (clientX - box.left - x) / scale, y: (clientY - box.top - y) / scale };
  }

  /** Zoom by `factor`; the point of the page, or the middle, stays in place. */
  by(factor, clientX = null, clientY = null) {
    const box = this.stage.getBoundingClientRect();
    const at = { x: clientX ?? box.left + box.width / 2, y: clientY ?? box.top + box.height / 2 };
    const held = this.pixelAt(at.x, at.y);
    this.#zoomTo(this.zoom * factor, box);
    const now = this.pixelAt(at.x, at.y);
    this.#move(held.x - now.x, held.y - now.y, box);
  }

  /** One pixel of the photo per pixel of the screen. */
  pixels() {
    const box = this.stage.getBoundingClientRect();
    this.by(1 / (window.devicePixelRatio || 1) / this.#fit(box) / this.zoom);
  }

  /** Show the whole photo. */
  whole() {
    this.zoom = 1;
    this.#move(0, 0, this.stage.getBoundingClientRect());
  }

  /** Zoom so that a box `[left, top, right, bottom]` of the photo fills two thirds of the stage. */
  show([left, top, right, bottom]) {
    const box = this.stage.getBoundingClientRect();
    this.#zoomTo(Math.min(box.width / (right - left), box.height / (bottom - top)) / 1.5 / this.#fit(box), box);
    this.#move((left + right) / 2 - this.centre.x, (top + bottom) / 2 - this.centre.y, box);
  }

  /** Pan by shares of the stage. */
  pan(dx, dy) {
    const box = this.stage.getBoundingClientRect();
    this.#move(dx * PANNED * box.width / this.scale, dy * PANNED * box.height / this.scale, box);
  }

  step(direction) { this.by(direction > 0 ? STEP : 1 / STEP); }

  #fit(box) { return Math.min(box.width / this.width, box.height / this.height) || 1; }

  #zoomTo(wanted, box) {
    const pixels = 1 / (window.devicePixelRatio || 1) / this.#fit(box); // below 1 for a photo smaller than the stage
    this.zoom = clamp(wanted, Math.min(1, pixels), Math.max(1, NEAREST * pixels));
  }

  #move(dx, dy, box) {
    const scale = this.#fit(box) * this.zoom;
    const within = (value, size, seen) => (seen >= size ? size / 2 : clamp(value, seen / 2, size - seen / 2));
    this.centre = {
      x: within(this.centre.x + dx, this.width, box.width / scale),
      y: within(this.centre.y + dy, this.height, box.height / scale),
    };
    this.stage.classList.toggle("near", this.zoom > 1);
    this.changed();
  }

  #wire() {
    const { stage, pointers } = this;
    stage.addEventListener("wheel", (event) => {
      if (this.zoom <= 1 && event.deltaY > 0) return; // let the page scroll
      event.preventDefault();
      const factor = Math.exp(-WHEEL * clamp(event.deltaY * (event.deltaMode ? 16 : 1), -400, 400));
      this.by(this.zoom > 1 ? Math.max(factor, 1 / this.zoom) : factor, event.clientX, event.clientY);
    }, { passive: false });
    stage.addEventListener("dblclick", (event) => {
      if (this.zoom !== 1) this.whole();
      else this.by(1 / this.scale, event.clientX, event.clientY);
    });
    stage.addEventListener("dragstart", (event) => event.preventDefault()); // dragging the picture to another window
    stage.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, event);
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
      pointers.set(event.pointerId, event);
      if (other) {
        const away = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
        this.by(away(event) / away(before), (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
      } else {
        const box = stage.getBoundingClientRect();
        this.#move((before.clientX - event.clientX) / this.scale, (before.clientY - event.clientY) / this.scale, box);
      }
    });
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => pointers.delete(event.pointerId));
  }
}

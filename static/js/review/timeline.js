// The timeline: one lane for each person on one canvas; zoom, drag, hover, and a playhead above it.

import { byId, el } from "../dom.js";
import { timecode } from "../formats.js";
import { _, decimal } from "../language.js";
import { clamp } from "../numbers.js";
import { nearest, usableByTrack } from "./data.js";
import { RULER, TimelineDrawing, colours } from "./timeline_drawing.js";

const CLICK = 4; // px; a pointer that moves less has not dragged
export const ROOMY = 6; // more lanes than this are drawn lower, like in reports.persons.timeline; a test compares

/**
 * `view` provides `lanes()` (id, name, scores, segments, explored, spans), `cuts`, `gaps`, `rules`, `duration`
 * and handles `onSeek`, `onSelect` and, optionally, `onShow`, `onTime` and `onDraw`. With `bare` it is a ruler alone.
 */
export class Timeline {
  constructor(view) {
    this.view = view;
    this.from = 0;
    this.to = Math.max(view.duration, 0.5);
    this.time = 0;
    this.canvas = byId("lanes-canvas");
    this.body = byId("lanes");
    this.head = byId("playhead");
    this.tip = byId("lanes-tip");
    this.waiting = false;
    this.width = this.canvas.clientWidth || 1; // cached: reading it for each score would force a layout
    new ResizeObserver(() => {
      this.width = this.canvas.clientWidth || 1;
      this.redraw();
    }).observe(this.body);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    this.#listen();
    this.body.setAttribute("aria-valuemax", view.duration.toFixed(3));
    this.setTime(0);
  }

  get laneHeight() { return this.view.lanes().length > ROOMY ? 34 : 66; }

  // Zoom and position

  x(time) { return ((time - this.from) / (this.to - this.from)) * this.width; }
  at(x) { return this.from + (x / this.width) * (this.to - this.from); }

  show(from, to) {
    const least = Math.min(0.25, this.view.duration || 0.25);
    const length = clamp(to - from, least, Math.max(this.view.duration, least));
    this.from = clamp(from, 0, Math.max(0, this.view.duration - length));
    this.to = this.from + length;
    this.view.onShow?.(this.from, this.to);
    byId("zoom-fit").disabled = length >= this.view.duration - 1e-6;
    byId("zoom-words").textContent = length >= this.view.duration - 1e-6
      ? _("whole exhibit") : _("%(start)s to %(end)s", { start: timecode(this.from), end: timecode(this.to) });
    this.redraw();
  }

  zoom(factor, around = this.time) {
    const middle = clamp(around, this.from, this.to);
    this.show(middle - (middle - this.from) * factor, middle + (this.to - middle) * factor);
  }

  fit() { this.show(0, this.view.duration); }

  setTime(time, follow = true) {
    this.time = time;
    if (follow && (time < this.from || time > this.to)) {
      const length = this.to - this.from;
      this.show(time - length * 0.1, time + length * 0.9);
    }
    const x = this.x(time);
    this.head.style.transform = `translateX(${x}px)`;
    this.head.hidden = x < 0 || x > this.width;
    this.body.setAttribute("aria-valuenow", time.toFixed(3));
    this.body.setAttribute("aria-valuetext", timecode(time));
    this.view.onTime?.(time);
  }

  // Pointer

  #listen() {
    let grip = null;
    const { body, canvas } = this;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    body.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const { x, y } = place(event);
      grip = { x, from: this.from, to: this.to, moved: false, scrub: y < RULER };
      body.setPointerCapture(event.pointerId);
      if (grip.scrub) this.view.onSeek(clamp(this.at(x), 0, this.view.duration));
    });
    body.addEventListener("pointermove", (event) => {
      const { x, y } = place(event);
      if (!grip) {
        this.#hover(x, y);
        return;
      }
      grip.moved ||= Math.abs(x - grip.x) > CLICK;
      if (grip.scrub) this.view.onSeek(clamp(this.at(x), 0, this.view.duration));
      else if (grip.moved) {
        const shift = ((grip.x - x) / this.width) * (grip.to - grip.from);
        this.show(grip.from + shift, grip.to + shift);
      }
    });
    const drop = (event) => {
      if (grip && !grip.moved && !grip.scrub && event.type === "pointerup") {
        const { x, y } = place(event);
        const time = clamp(this.at(x), 0, this.view.duration);
        const lane = this.#laneAt(y);
        const segment = lane?.segments.find((one) => time >= one.start - 4 * this.#pixel() && time <= one.end + 4 * this.#pixel());
        this.view.onSeek(time);
        if (segment) this.view.onSelect(segment.id, lane);
      }
      grip = null;
    };
    body.addEventListener("pointerup", drop);
    body.addEventListener("pointercancel", drop);
    body.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    body.addEventListener("wheel", (event) => {
      // Without a modifier the wheel scrolls the page.
      if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey) return;
      event.preventDefault();
      if (event.shiftKey) {
        const shift = ((event.deltaY || event.deltaX) / this.width) * (this.to - this.from);
        this.show(this.from + shift, this.to + shift);
      } else this.zoom(Math.exp(event.deltaY * 0.002), this.at(place(event).x));
    }, { passive: false });
  }

  #pixel() { return (this.to - this.from) / this.width; }

  #laneAt(y) {
    return this.view.lanes()[Math.floor((y - RULER) / this.laneHeight)] ?? null;
  }

  #hover(x, y) {
    const time = clamp(this.at(x), 0, this.view.duration);
    const lane = this.#laneAt(y);
    const lines = [timecode(time)];
    if (lane) {
      const index = nearest(lane.scores, time, Math.max(0.1, 3 * this.#pixel()));
      lines.unshift(lane.name);
      if (index < 0) lines.push(_("no face seen"));
      else if (Number.isNaN(lane.scores.smooth[index])) lines.push(_("face found, not scored"));
      else {
        const [smooth, score] = [lane.scores.smooth[index], lane.scores.score[index]].map((value) => decimal(value, 2));
        lines.push(_("smoothed %(smooth)s, this frame %(score)s", { smooth, score }));
        if (lane.scores.interpolated[index]) lines.push(_("this frame's score lies between those beside it"));
      }
      const segment = lane.segments.find((one) => time >= one.start && time <= one.end);
      if (segment) lines.push(_("segment %(segment)s", { segment: segment.id }));
    }
    const gap = this.view.gaps.find((one) => time >= one.start && time <= one.end);
    if (gap) lines.push(_("not examined: %(reason)s", { reason: gap.reason }));
    this.tip.replaceChildren(...lines.map((line, i) => el(i ? "span" : "strong", {}, line)));
    this.tip.hidden = false;
    this.#placeTip(x, y);
  }

  /** Beside the pointer and visible, because a timeline of one person is lower than the text. */
  #placeTip(x, y) {
    const { left, top } = this.body.getBoundingClientRect();
    const { offsetWidth: wide, offsetHeight: tall } = this.tip;
    const below = top + y + 12;
    const beside = clamp(left + x + 14, 0, window.innerWidth - wide);
    const down = below + tall <= window.innerHeight ? below : Math.max(0, top + y - 12 - tall);
    this.tip.style.transform = `translate(${beside}px, ${down}px)`;
  }

  // Drawing

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.#draw();
      this.setTime(this.time, false);
    });
  }

  #draw() {
    const lanes = this.view.lanes();
    const height = RULER + this.laneHeight * (this.view.bare ? 0 : Math.max(lanes.length, 1));
    const dense = window.devicePixelRatio || 1;
    this.canvas.style.height = `${height}px`;
    this.head.style.height = `${height}px`;
    this.canvas.width = Math.round(this.width * dense);
    this.canvas.height = Math.round(height * dense);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, this.width, height);
    new TimelineDrawing(pen, this, colours(this.body)).draw(lanes, height);
    this.view.onDraw?.();
  }
}

/** The number of judged scores of a person. */
export const judged = (scores) => [...usableByTrack(scores).values()].reduce((sum, one) => sum + one.length, 0);

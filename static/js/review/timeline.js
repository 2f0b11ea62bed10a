// The timeline: one lane a person, drawn on one canvas; zoom, drag, hover, and a playhead above it.

import { _, decimal } from "../language.js";
import { nearest, usableByTrack } from "./data.js";
import { byId, clamp, el, lowerBound, timecode } from "./dom.js";

const RULER = 22;
// Steps of the ruler in seconds and the most lanes that are tall, as reports.view.timeline has them; a test compares.
const STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
const CLICK = 4; // px; a pointer that moves less has not dragged
const HATCH = 8; // px between two lines of a flagged band; a narrower band is all colour
const SAMPLE = 0.125; // seconds a score stands for in the strip under a lane
const DOTS = 500; // fewer visible scores than this are drawn one by one
export const ROOMY = 6; // more lanes than this get low ones

/**
 * `view` gives `lanes()` (id, name, lane, segments, explored, spans), `cuts`, `gaps`, `rules`, `duration`
 * and hears `onSeek`, `onSelect` and, where it likes, `onShow`.
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
    this.width = this.canvas.clientWidth || 1; // asking the page for it at each score would lay it out anew
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

  // Zoom and place

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
      // Without a modifier the wheel scrolls the page, as everywhere.
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
      const index = nearest(lane.lane, time, Math.max(0.1, 3 * this.#pixel()));
      lines.unshift(lane.name);
      if (index < 0) lines.push(_("no face seen"));
      else if (Number.isNaN(lane.lane.smooth[index])) lines.push(_("face found, not scored"));
      else {
        const [smooth, score] = [lane.lane.smooth[index], lane.lane.score[index]].map((value) => decimal(value, 2));
        lines.push(_("smoothed %(smooth)s, this frame %(score)s", { smooth, score }));
        if (lane.lane.interpolated[index]) lines.push(_("this frame's score lies between those beside it"));
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

  /** Beside the pointer and in sight: a timeline of one person is lower than what there is to say. */
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
    const height = RULER + this.laneHeight * Math.max(lanes.length, 1);
    const dense = window.devicePixelRatio || 1;
    this.canvas.style.height = `${height}px`;
    this.head.style.height = `${height}px`;
    const { width } = this;
    this.canvas.width = Math.round(width * dense);
    this.canvas.height = Math.round(height * dense);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    const style = getComputedStyle(this.body);
    const ink = (name) => style.getPropertyValue(name).trim();
    this.colours = Object.fromEntries(["ink", "muted", "rule", "ground", "blank", "line", "band", "flag", "flag-ground",
      "cut", "explore", "span"].map((name) => [name, ink(`--lane-${name}`)]));
    pen.clearRect(0, 0, width, height);
    this.#ruler(pen, width, height);
    lanes.forEach((lane, row) => this.#lane(pen, lane, RULER + row * this.laneHeight, width));
    this.#cuts(pen, height);
  }

  #ruler(pen, width, height) {
    const span = this.to - this.from;
    const step = STEPS.find((one) => (span / one) * 96 <= width) ?? STEPS[STEPS.length - 1];
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    let free = 0; // px, from which on the next time may be written
    for (let n = Math.ceil(this.from / step); n * step <= this.to + 1e-9; n += 1) {
      const x = Math.round(this.x(n * step)) + 0.5;
      pen.strokeStyle = this.colours.rule;
      pen.beginPath();
      pen.moveTo(x, RULER - 5);
      pen.lineTo(x, height);
      pen.stroke();
      const text = step < 1 ? timecode(n * step) : timecode(n * step).slice(0, 8);
      const half = pen.measureText(text).width / 2;
      const left = clamp(x - half, 0, width - 2 * half);
      if (left < free) continue;
      free = left + 2 * half + 6;
      pen.fillStyle = this.colours.muted;
      pen.fillText(text, left, 8);
    }
  }

  #lane(pen, lane, top, width) {
    const { laneHeight } = this;
    const plot = { top: top + 5, bottom: top + laneHeight - 9 };
    const y = (value) => plot.bottom - (plot.bottom - plot.top) * value;
    pen.fillStyle = this.colours.ground;
    pen.fillRect(0, plot.top, width, plot.bottom - plot.top);
    for (const gap of this.view.gaps) this.#blank(pen, gap, plot);
    for (const one of lane.segments) this.#band(pen, one, plot, lane);
    this.#spread(pen, lane.lane, y);
    this.#thresholds(pen, y, width, lane.rules ?? this.view.rules);
    this.#curve(pen, lane.lane, y);
    this.#names(pen, lane.segments, plot.top);
    for (const [start, end] of lane.explored ?? []) this.#explored(pen, start, end, plot);
    for (const span of lane.spans ?? []) this.#span(pen, span, plot);
    this.#strip(pen, lane.lane, plot.bottom + 3);
    pen.strokeStyle = this.colours.rule;
    pen.beginPath();
    pen.moveTo(0, top + laneHeight - 0.5);
    pen.lineTo(width, top + laneHeight - 0.5);
    pen.stroke();
  }

  #blank(pen, gap, plot) {
    const x = this.x(gap.start);
    const wide = Math.max(1, this.x(gap.end) - x);
    if (x > this.width || x + wide < 0) return;
    pen.fillStyle = this.colours.blank;
    pen.fillRect(x, plot.top, wide, plot.bottom - plot.top);
  }

  #band(pen, segment, plot, lane) {
    const x = this.x(segment.start);
    const wide = Math.max(3, this.x(segment.end) - x);
    if (x > this.width || x + wide < 0) return;
    pen.fillStyle = this.colours["flag-ground"];
    pen.fillRect(x, plot.top, wide, plot.bottom - plot.top);
    if (wide > HATCH) this.#hatch(pen, x, wide, plot);
    pen.strokeStyle = this.colours.flag;
    pen.lineWidth = segment.id === lane.selected ? 3 : 1;
    pen.strokeRect(x + 0.5, plot.top + 0.5, wide - 1, plot.bottom - plot.top - 1);
    pen.lineWidth = 1;
  }

  /** Names of segments, where the next one leaves room. */
  #names(pen, segments, top) {
    segments.forEach((segment, index) => {
      const place = Math.max(this.x(segment.start), 0);
      const label = pen.measureText(segment.id).width + 8;
      const next = index + 1 < segments.length ? this.x(segments[index + 1].start) : this.width;
      if (this.x(segment.end) < 0 || place > this.width || next - place < label) return;
      pen.fillStyle = this.colours.flag;
      pen.fillRect(place, top, label, 15);
      pen.fillStyle = this.colours["flag-ground"];
      pen.fillText(segment.id, place + 4, top + 8);
    });
  }

  #hatch(pen, x, wide, plot) {
    pen.save();
    pen.beginPath();
    pen.rect(x, plot.top, wide, plot.bottom - plot.top);
    pen.clip();
    pen.strokeStyle = this.colours.flag;
    pen.globalAlpha = 0.45;
    pen.lineWidth = 1;
    pen.beginPath();
    const deep = plot.bottom - plot.top;
    const first = Math.floor(Math.max(x - deep, -deep) / HATCH) * HATCH;
    for (let line = first; line < Math.min(x + wide, this.width); line += HATCH) {
      pen.moveTo(line, plot.bottom);
      pen.lineTo(line + deep, plot.top);
    }
    pen.stroke();
    pen.restore();
  }

  #thresholds(pen, y, width, { enter, exit }) {
    pen.strokeStyle = this.colours.muted;
    for (const [value, dash] of [[enter, [6, 4]], [exit, [2, 4]]]) {
      pen.setLineDash(dash);
      pen.beginPath();
      pen.moveTo(0, Math.round(y(value)) + 0.5);
      pen.lineTo(width, Math.round(y(value)) + 0.5);
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  /** Calls `draw(i, x, fresh)` for visible samples; `fresh` where the line must not come from the one before. */
  #visible(lane, draw) {
    const first = Math.max(0, lowerBound(lane.time, this.from) - 1);
    const last = Math.min(lane.time.length, lowerBound(lane.time, this.to) + 1);
    let before = -1;
    for (let i = first; i < last; i += 1) {
      if (Number.isNaN(lane.smooth[i])) continue;
      const fresh = before < 0 || lane.track[before] !== lane.track[i]
        || lane.time[i] - lane.time[before] > Math.max(lane.reach[before], lane.reach[i]);
      draw(i, this.x(lane.time[i]), fresh);
      before = i;
    }
  }

  #spread(pen, lane, y) {
    pen.fillStyle = this.colours.band;
    let column = null;
    const flush = () => {
      if (column) pen.fillRect(column.x, y(column.high), column.wide, Math.max(1, y(column.low) - y(column.high)));
    };
    let last = null;
    this.#visible(lane, (i, x, fresh) => {
      if (column && !fresh && x - column.x < 1) {
        column.low = Math.min(column.low, lane.low[i]);
        column.high = Math.max(column.high, lane.high[i]);
        return;
      }
      if (column && !fresh) column.wide = Math.max(1, x - column.x);
      flush();
      column = { x, low: lane.low[i], high: lane.high[i], wide: 1 };
      last = x;
    });
    if (last !== null) flush();
  }

  #curve(pen, lane, y) {
    pen.strokeStyle = this.colours.line;
    pen.fillStyle = this.colours.line;
    pen.lineWidth = 1.75;
    pen.lineJoin = "bevel";
    pen.beginPath();
    let column = null;
    let seen = 0;
    // A column of many scores is an upright bar from its least to its most: cheaper than a path through all.
    const flush = () => {
      if (!column?.many) return;
      pen.fillRect(column.x - 0.5, y(column.high) - 0.9, 1.75, y(column.low) - y(column.high) + 1.8);
      pen.moveTo(column.x, y(column.last));
    };
    this.#visible(lane, (i, x, fresh) => {
      const value = lane.smooth[i];
      seen += 1;
      if (column && !fresh && x - column.x < 1) {
        column.low = Math.min(column.low, value);
        column.high = Math.max(column.high, value);
        column.last = value;
        column.many = true;
        return;
      }
      flush();
      const joins = column?.many && !fresh && x - column.x < 2;
      if (fresh) pen.moveTo(x - 0.75, y(value));
      if (!joins) pen.lineTo(x, y(value));
      // The next bar reaches to where the last one ended, or the line would have holes.
      column = joins
        ? { x, low: Math.min(value, column.last), high: Math.max(value, column.last), last: value, many: true }
        : { x, low: value, high: value, last: value, many: false };
    });
    flush();
    pen.stroke();
    pen.lineWidth = 1;
    if (seen > DOTS) return;
    pen.fillStyle = this.colours.muted;
    this.#visible(lane, (i, x) => pen.fillRect(x - 1, y(lane.score[i]) - 1, 2, 2));
  }

  #strip(pen, lane, top) {
    const first = Math.max(0, lowerBound(lane.time, this.from) - 1);
    const last = Math.min(lane.time.length, lowerBound(lane.time, this.to) + 1);
    const wide = Math.max(1, SAMPLE / this.#pixel());
    // Neighbours of one kind are one stroke.
    let run = null;
    const flush = () => {
      if (!run) return;
      pen.fillStyle = run.unusable ? this.colours.cut : this.colours.muted;
      pen.fillRect(run.x, run.unusable ? top : top + 1, run.end - run.x, run.unusable ? 4 : 2);
    };
    for (let i = first; i < last; i += 1) {
      const x = this.x(lane.time[i]);
      const unusable = Number.isNaN(lane.smooth[i]);
      if (run && run.unusable === unusable && x < run.end + 1 + wide / 2) {
        run.end = x + wide;
        continue;
      }
      flush();
      run = { x, end: x + wide, unusable };
    }
    flush();
  }

  #explored(pen, start, end, plot) {
    const x = this.x(start);
    const wide = Math.max(3, this.x(end) - x);
    pen.strokeStyle = this.colours.explore;
    pen.lineWidth = 2;
    pen.setLineDash([5, 3]);
    pen.strokeRect(x, plot.top + 1, wide, plot.bottom - plot.top - 2);
    pen.setLineDash([]);
    pen.lineWidth = 1;
  }

  #span(pen, span, plot) {
    const x = this.x(span.start);
    const wide = Math.max(3, this.x(span.end) - x);
    pen.strokeStyle = this.colours.span;
    pen.lineWidth = 3;
    pen.beginPath();
    pen.moveTo(x + 1.5, plot.bottom);
    pen.lineTo(x + 1.5, plot.bottom - 7);
    pen.moveTo(x, plot.bottom - 1.5);
    pen.lineTo(x + wide, plot.bottom - 1.5);
    pen.moveTo(x + wide - 1.5, plot.bottom);
    pen.lineTo(x + wide - 1.5, plot.bottom - 7);
    pen.stroke();
    pen.lineWidth = 1;
  }

  #cuts(pen, height) {
    pen.strokeStyle = this.colours.cut;
    pen.fillStyle = this.colours.cut;
    let last = -10;
    for (const cut of this.view.cuts) {
      const x = Math.round(this.x(cut)) + 0.5;
      if (x < 0 || x > this.width || x - last < 2) continue;
      last = x;
      pen.setLineDash([1, 3]);
      pen.beginPath();
      pen.moveTo(x, RULER);
      pen.lineTo(x, height);
      pen.stroke();
      pen.setLineDash([]);
      pen.beginPath();
      pen.moveTo(x - 4, RULER - 6);
      pen.lineTo(x + 4, RULER - 6);
      pen.lineTo(x, RULER);
      pen.fill();
    }
  }
}

/** How much of a lane was judged, for its label. */
export const judged = (lane) => [...usableByTrack(lane).values()].reduce((sum, one) => sum + one.length, 0);

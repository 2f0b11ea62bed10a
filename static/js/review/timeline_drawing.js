// The drawing of the timeline: visible part of ruler, lanes and cuts on a canvas.

import { timecode } from "../formats.js";
import { decimal } from "../language.js";
import { clamp, lowerBound } from "../numbers.js";

export const RULER = 22; // px above the lanes
// Steps of the ruler in seconds, as in reports.view.timeline; a test compares.
const STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
const HATCH = 8; // px between two lines of a flagged band; a narrower band is filled
const SAMPLE = 0.125; // seconds per score in the strip under a lane
const DOTS = 500; // fewer visible scores than this are drawn as dots
const COLOURS = ["muted", "rule", "ground", "blank", "line", "band", "flag", "flag-ground", "cut", "explore", "span"];

/** The style sheet's values for `element`, for each part of the drawing. */
export function colours(element) {
  const style = getComputedStyle(element);
  return Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--lane-${name}`).trim()]));
}

/** Draw the visible part of `timeline`, a Timeline, with `pen` and `colours`. */
export class TimelineDrawing {
  constructor(pen, timeline, inks) {
    this.pen = pen;
    this.timeline = timeline;
    this.colours = inks;
  }

  draw(lanes, height) {
    this.#ruler(height);
    const { laneHeight } = this.timeline;
    lanes.forEach((lane, row) => this.#lane(lane, RULER + row * laneHeight, laneHeight));
    this.#cuts(height);
  }

  #ruler(height) {
    const { pen, timeline } = this;
    const { width } = timeline;
    const span = timeline.to - timeline.from;
    const step = STEPS.find((one) => (span / one) * 96 <= width) ?? STEPS[STEPS.length - 1];
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    let free = 0; // px where the next label may start
    for (let n = Math.ceil(timeline.from / step); n * step <= timeline.to + 1e-9; n += 1) {
      const x = Math.round(timeline.x(n * step)) + 0.5;
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

  #lane(lane, top, laneHeight) {
    const { pen, timeline } = this;
    const { view, width } = timeline;
    const plot = { top: top + 5, bottom: top + laneHeight - 9 };
    const y = (value) => plot.bottom - (plot.bottom - plot.top) * value;
    pen.fillStyle = this.colours.ground;
    pen.fillRect(0, plot.top, width, plot.bottom - plot.top);
    for (const gap of view.gaps) this.#blank(gap, plot);
    for (const one of lane.segments) this.#band(one, plot, lane);
    this.#spread(lane.scores, y);
    this.#thresholds(y, lane.rules ?? view.rules);
    this.#curve(lane.scores, y);
    this.#names(lane.segments, plot.top);
    for (const [start, end] of lane.explored ?? []) this.#explored(start, end, plot);
    for (const span of lane.spans ?? []) this.#span(span, plot);
    this.#strip(lane.scores, plot.bottom + 3);
    pen.strokeStyle = this.colours.rule;
    pen.beginPath();
    pen.moveTo(0, top + laneHeight - 0.5);
    pen.lineTo(width, top + laneHeight - 0.5);
    pen.stroke();
  }

  #blank(gap, plot) {
    const { pen, timeline } = this;
    const x = timeline.x(gap.start);
    const wide = Math.max(1, timeline.x(gap.end) - x);
    if (x > timeline.width || x + wide < 0) return;
    pen.fillStyle = this.colours.blank;
    pen.fillRect(x, plot.top, wide, plot.bottom - plot.top);
  }

  #band(segment, plot, lane) {
    const { pen, timeline } = this;
    const x = timeline.x(segment.start);
    const wide = Math.max(3, timeline.x(segment.end) - x);
    if (x > timeline.width || x + wide < 0) return;
    const plain = segment.flagged === false; // not flagged, for a reason
    pen.fillStyle = plain ? this.colours.blank : this.colours["flag-ground"];
    pen.fillRect(x, plot.top, wide, plot.bottom - plot.top);
    if (wide > HATCH && !plain) this.#hatch(x, wide, plot);
    pen.strokeStyle = plain ? this.colours.muted : this.colours.flag;
    if (plain) pen.setLineDash([4, 3]);
    pen.lineWidth = segment.id === lane.selected ? 3 : 1;
    pen.strokeRect(x + 0.5, plot.top + 0.5, wide - 1, plot.bottom - plot.top - 1);
    pen.lineWidth = 1;
    pen.setLineDash([]);
  }

  /** Names of segments, if the next one leaves room. */
  #names(segments, top) {
    const { pen, timeline } = this;
    segments.forEach((segment, index) => {
      const place = Math.max(timeline.x(segment.start), 0);
      const label = pen.measureText(segment.id).width + 8;
      const next = index + 1 < segments.length ? timeline.x(segments[index + 1].start) : timeline.width;
      if (timeline.x(segment.end) < 0 || place > timeline.width || next - place < label) return;
      const plain = segment.flagged === false;
      pen.fillStyle = plain ? this.colours.muted : this.colours.flag;
      pen.fillRect(place, top, label, 15);
      pen.fillStyle = plain ? this.colours.ground : this.colours["flag-ground"];
      pen.fillText(segment.id, place + 4, top + 8);
    });
  }

  #hatch(x, wide, plot) {
    const { pen, timeline } = this;
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
    for (let line = first; line < Math.min(x + wide, timeline.width); line += HATCH) {
      pen.moveTo(line, plot.bottom);
      pen.lineTo(line + deep, plot.top);
    }
    pen.stroke();
    pen.restore();
  }

  #thresholds(y, { enter, exit }) {
    const { pen, timeline } = this;
    pen.strokeStyle = this.colours.muted;
    for (const [value, dash] of [[enter, [6, 4]], [exit, [2, 4]]]) {
      pen.setLineDash(dash);
      pen.beginPath();
      pen.moveTo(0, Math.round(y(value)) + 0.5);
      pen.lineTo(timeline.width, Math.round(y(value)) + 0.5);
      pen.stroke();
      pen.fillStyle = this.colours.muted;
      const label = decimal(value, 2); // at the right, since names of segments stand at the left
      pen.fillText(label, timeline.width - pen.measureText(label).width - 2, y(value) + (value === enter ? -6 : 7)); // one above its line, the other below
    }
    pen.setLineDash([]);
  }

  /** Call `draw(i, x, fresh)` for visible samples; `fresh` if the line must not continue from the previous one. */
  #visible(scores, draw) {
    const { timeline } = this;
    const first = Math.max(0, lowerBound(scores.time, timeline.from) - 1);
    const last = Math.min(scores.time.length, lowerBound(scores.time, timeline.to) + 1);
    let before = -1;
    for (let i = first; i < last; i += 1) {
      if (Number.isNaN(scores.smooth[i])) continue;
      const fresh = before < 0 || scores.track[before] !== scores.track[i]
        || scores.time[i] - scores.time[before] > Math.max(scores.reach[before], scores.reach[i]);
      draw(i, timeline.x(scores.time[i]), fresh);
      before = i;
    }
  }

  #spread(scores, y) {
    const { pen } = this;
    pen.fillStyle = this.colours.band;
    let column = null;
    const flush = () => {
      if (column) pen.fillRect(column.x, y(column.high), column.wide, Math.max(1, y(column.low) - y(column.high)));
    };
    let last = null;
    this.#visible(scores, (i, x, fresh) => {
      if (column && !fresh && x - column.x < 1) {
        column.low = Math.min(column.low, scores.low[i]);
        column.high = Math.max(column.high, scores.high[i]);
        return;
      }
      if (column && !fresh) column.wide = Math.max(1, x - column.x);
      flush();
      column = { x, low: scores.low[i], high: scores.high[i], wide: 1 };
      last = x;
    });
    if (last !== null) flush();
  }

  #curve(scores, y) {
    const { pen } = this;
    pen.strokeStyle = this.colours.line;
    pen.fillStyle = this.colours.line;
    pen.lineWidth = 1.75;
    pen.lineJoin = "bevel";
    pen.beginPath();
    let column = null;
    let seen = 0;
    // Many scores in one column become a bar from minimum to maximum: cheaper than a path through all.
    const flush = () => {
      if (!column?.many) return;
      pen.fillRect(column.x - 0.5, y(column.high) - 0.9, 1.75, y(column.low) - y(column.high) + 1.8);
      pen.moveTo(column.x, y(column.last));
    };
    this.#visible(scores, (i, x, fresh) => {
      const value = scores.smooth[i];
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
      // Extend the bar to the end of the previous one, or the line would have gaps.
      column = joins
        ? { x, low: Math.min(value, column.last), high: Math.max(value, column.last), last: value, many: true }
        : { x, low: value, high: value, last: value, many: false };
    });
    flush();
    pen.stroke();
    pen.lineWidth = 1;
    if (seen > DOTS) return;
    pen.fillStyle = this.colours.muted;
    this.#visible(scores, (i, x) => pen.fillRect(x - 1, y(scores.score[i]) - 1, 2, 2));
  }

  #strip(scores, top) {
    const { pen, timeline } = this;
    const first = Math.max(0, lowerBound(scores.time, timeline.from) - 1);
    const last = Math.min(scores.time.length, lowerBound(scores.time, timeline.to) + 1);
    const wide = Math.max(1, (SAMPLE * timeline.width) / (timeline.to - timeline.from));
    // Neighbours of one kind share a stroke.
    let run = null;
    const flush = () => {
      if (!run) return;
      pen.fillStyle = run.unusable ? this.colours.cut : this.colours.muted;
      pen.fillRect(run.x, run.unusable ? top : top + 1, run.end - run.x, run.unusable ? 4 : 2);
    };
    for (let i = first; i < last; i += 1) {
      const x = timeline.x(scores.time[i]);
      const unusable = Number.isNaN(scores.smooth[i]);
      if (run && run.unusable === unusable && x < run.end + 1 + wide / 2) {
        run.end = x + wide;
        continue;
      }
      flush();
      run = { x, end: x + wide, unusable };
    }
    flush();
  }

  #explored(start, end, plot) {
    const { pen, timeline } = this;
    const x = timeline.x(start);
    const wide = Math.max(3, timeline.x(end) - x);
    pen.strokeStyle = this.colours.explore;
    pen.lineWidth = 2;
    pen.setLineDash([5, 3]);
    pen.strokeRect(x, plot.top + 1, wide, plot.bottom - plot.top - 2);
    pen.setLineDash([]);
    pen.lineWidth = 1;
  }

  #span(span, plot) {
    const { pen, timeline } = this;
    const x = timeline.x(span.start);
    const wide = Math.max(3, timeline.x(span.end) - x);
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

  #cuts(height) {
    const { pen, timeline } = this;
    pen.strokeStyle = this.colours.cut;
    pen.fillStyle = this.colours.cut;
    let last = -10;
    for (const cut of timeline.view.cuts) {
      const x = Math.round(timeline.x(cut)) + 0.5;
      if (x < 0 || x > timeline.width || x - last < 2) continue;
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

// The sound under the persons' lanes: waveform, spectrogram, scores of the voice, and its segments, each of which plays.
// Channels that carry different speech have a lane each.

import { byId, el, icon } from "../dom.js";
import { timecode } from "../formats.js";
import { _, decimal } from "../language.js";
import { clamp, lowerBound } from "../numbers.js";
import { wouldHear } from "./explore.js";
import { colours } from "./timeline_drawing.js";

const WAVE = 44; // px: heights of the three strips
const SPECTRUM = 44;
const SCORES = 60;
const SHORT = 0.02; // seconds; shorter stretches without sound are not marked
const HEIGHT = WAVE + SPECTRUM + SCORES;

export class SoundLane {
  /** `voice` is that of `review.json`; `timeline` gives the visible span, `player` plays. */
  constructor(desk, voice, timeline, player) {
    this.desk = desk;
    this.voice = voice;
    this.timeline = timeline;
    this.player = player;
    this.segments = voice.segments;
    this.chosen = null;
    this.enter = voice.lanes[0].enter;
    this.explores = voice.lanes.some((lane) => lane.scores.time.length);
    this.thinned = voice.lanes.some((lane) => lane.windows > 1);
    this.explore(null);
    this.canvas = byId("sound-canvas");
    this.body = byId("sound-lanes");
    this.head = byId("sound-playhead");
    this.tip = byId("sound-tip");
    this.pictures = voice.lanes.map((lane) => {
      if (!lane.spectrogram) return null;
      const picture = new Image();
      picture.addEventListener("load", () => timeline.redraw());
      picture.src = lane.spectrogram.picture;
      return picture;
    });
    this.height = HEIGHT * voice.lanes.length;
    this.body.addEventListener("pointerdown", (event) => { if (event.button === 0) this.#press(event); });
    this.body.addEventListener("pointermove", (event) => this.#hover(event));
    this.body.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    for (const button of document.querySelectorAll("[data-play-from]")) {
      button.hidden = !player.plays;
      button.addEventListener("click", () => player.playSpan(Number(button.dataset.playFrom), Number(button.dataset.playTo)));
    }
    this.list();
  }

  /** The list of voice segments beside the picture. */
  list() {
    const { voice, desk } = this;
    const list = byId("voice-list");
    if (!this.segments.length) {
      const title = desk.data.raw.media.kind === "audio" ? _("Nothing was flagged.") : _("No voice was flagged.");
      list.replaceChildren(el("li", { class: "nothing" }, el("p", {}, el("strong", {}, title)), el("p", {}, voice.words)));
      return;
    }
    const marks = (segment) => desk.annotationsOf(segment.id).map((one) => el("span", { class: `mark mark-${one.verdict}` }, icon(one.verdict), el("small", {}, one.author)));
    list.replaceChildren(...this.segments.map((segment) => el("li", {},
      el("button", { type: "button", class: "segment-row voice-row", "data-segment": segment.id, "data-chosen": segment.id === this.chosen, "aria-current": segment.id === this.chosen ? "true" : null, onclick: () => this.choose(segment.id, true) },
        el("span", { class: "segment-thumb" }, icon("play")),
        el("span", { class: "segment-words" },
          el("span", { class: "segment-top" }, el("strong", segment.flagged ? {} : { class: "muted" }, segment.name)),
          el("span", { class: "time" }, `${segment.from} – ${segment.to}`),
          el("span", {}, _("Score %(score)s", { score: segment.confidence_words })),
          el("span", { class: "marks" }, ...marks(segment)))))));
  }

  choose(id, play) {
    this.chosen = id;
    const segment = this.segments.find((one) => one.id === id);
    if (play) this.player.playSpan(segment.start, segment.end);
    else this.player.seek(segment.start);
    this.list();
    this.timeline.redraw();
  }

  /** Find the segments at another threshold; null: none. `heard` has the intervals of each lane. */
  explore(value) {
    this.explored = value;
    this.heard = this.voice.lanes.map((lane) => (value === null ? [] : wouldHear(lane, value)));
  }

  /** The next (1) or previous (-1) segment of the voice. */
  neighbour(direction, play = false) {
    if (!this.segments.length) return;
    const now = this.segments.findIndex((one) => one.id === this.chosen);
    this.choose(this.segments[clamp(now + direction, 0, this.segments.length - 1)].id, play);
  }

  /** Play the chosen segment again, or the first. */
  again() { this.neighbour(0, true); }

  setTime(time) {
    const x = this.timeline.x(time);
    this.head.style.transform = `translateX(${x}px)`;
    this.head.style.height = `${this.height}px`;
    this.head.hidden = x < 0 || x > this.timeline.width;
  }

  #timeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return clamp(this.timeline.at(event.clientX - box.left), 0, this.timeline.view.duration);
  }

  #laneOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return clamp(Math.floor((event.clientY - box.top) / HEIGHT), 0, this.voice.lanes.length - 1);
  }

  #segmentAt(event) {
    const time = this.#timeOf(event);
    const lane = this.#laneOf(event);
    return this.segments.find((one) => one.lane === lane && time >= one.start && time <= one.end);
  }

  #press(event) {
    const time = this.#timeOf(event);
    const segment = this.#segmentAt(event);
    if (segment) {
      this.chosen = segment.id;
      this.list();
    }
    this.player.seek(time);
    this.timeline.redraw();
  }

  #hover(event) {
    const time = this.#timeOf(event);
    const { name, scores, gaps, reach } = this.voice.lanes[this.#laneOf(event)];
    const lines = name ? [timecode(time), name] : [timecode(time)];
    const after = lowerBound(scores.time, time);
    const near = [after - 1, after].filter((i) => i >= 0 && i < scores.time.length).sort((a, b) => Math.abs(scores.time[a] - time) - Math.abs(scores.time[b] - time))[0];
    if (near !== undefined && Math.abs(scores.time[near] - time) <= reach) {
      lines.push(_("smoothed %(smooth)s, this window %(score)s", { smooth: decimal(scores.smooth[near], 2), score: decimal(scores.score[near], 2) }));
    }
    const segment = this.#segmentAt(event);
    if (segment) lines.push(segment.name);
    const gap = gaps.find((one) => time >= one.start && time <= one.end);
    if (gap) lines.push(_("not judged: %(reason)s", { reason: gap.reason }));
    if (this.#withoutSound().some((one) => time >= one.start && time <= one.end)) lines.push(_("no sound here"));
    this.tip.replaceChildren(...lines.map((line, i) => el(i ? "span" : "strong", {}, line)));
    this.tip.hidden = false;
    this.tip.style.transform = `translate(${clamp(event.clientX + 14, 0, window.innerWidth - this.tip.offsetWidth)}px, ${Math.max(0, event.clientY - this.tip.offsetHeight - 10)}px)`;
  }

  draw() {
    const dense = window.devicePixelRatio || 1;
    const { width } = this.timeline;
    this.canvas.style.height = `${this.height}px`;
    this.canvas.width = Math.round(width * dense);
    this.canvas.height = Math.round(this.height * dense);
    const pen = this.canvas.getContext("2d");
    const inks = colours(this.body);
    pen.font = "11px system-ui, sans-serif";
    this.voice.lanes.forEach((lane, number) => {
      pen.setTransform(dense, 0, 0, dense, 0, Math.round(number * HEIGHT * dense));
      pen.clearRect(0, 0, width, HEIGHT);
      this.#ground(pen, width, inks, lane, number);
      this.#wave(pen, width, inks, lane.waveform);
      this.#spectrum(pen, width, lane.spectrogram, this.pictures[number]);
      this.#scores(pen, width, inks, lane);
      this.#names(pen, width, inks, number);
      this.#explored(pen, inks, number);
    });
    this.setTime(this.timeline.time);
  }

  #ground(pen, width, inks, lane, number) {
    pen.fillStyle = inks.ground;
    pen.fillRect(0, 0, width, HEIGHT);
    this.#blank(pen, inks, lane.gaps);
    for (const segment of this.segments.filter((one) => one.lane === number)) {
      const x = this.timeline.x(segment.start);
      const wide = Math.max(2, this.timeline.x(segment.end) - x);
      pen.fillStyle = segment.flagged ? inks["flag-ground"] : inks.blank;
      pen.fillRect(x, 0, wide, HEIGHT);
      pen.strokeStyle = segment.flagged ? inks.flag : inks.muted;
      pen.lineWidth = segment.id === this.chosen ? 2.5 : 1;
      pen.strokeRect(x + 0.5, 0.5, wide - 1, HEIGHT - 1);
    }
    pen.lineWidth = 1;
  }

  #names(pen, width, inks, lane) {
    for (const { name, start, end, flagged } of this.segments.filter((one) => one.lane === lane)) {
      const x = Math.max(0, this.timeline.x(start));
      const wide = pen.measureText(name).width + 8;
      if (this.timeline.x(end) < 0 || x > width || this.timeline.x(end) - x < wide) continue;
      pen.fillStyle = flagged ? inks.flag : inks.muted;
      pen.fillRect(x, 0, wide, 15);
      pen.fillStyle = flagged ? inks["flag-ground"] : inks.ground;
      pen.fillText(name, x + 4, 11);
    }
  }

  #explored(pen, inks, lane) {
    pen.strokeStyle = inks.explore;
    pen.lineWidth = 2;
    pen.setLineDash([5, 3]);
    for (const [start, end] of this.heard[lane]) {
      const x = this.timeline.x(start);
      pen.strokeRect(x, WAVE + SPECTRUM + 1, Math.max(3, this.timeline.x(end) - x), SCORES - 2);
    }
    pen.setLineDash([]);
    pen.lineWidth = 1;
  }

  /** Grey the scores where nothing was judged, and all strips before the sound begins and after it ends. */
  #blank(pen, inks, gaps) {
    pen.fillStyle = inks.blank;
    for (const [spans, top] of [[gaps, WAVE + SPECTRUM], [this.#withoutSound(), 0]]) {
      for (const { start, end } of spans) {
        const x = this.timeline.x(start);
        pen.fillRect(x, top, this.timeline.x(end) - x, HEIGHT - top);
      }
    }
  }

  /** The stretches of the timeline, in seconds, before the sound begins and after it ends. */
  #withoutSound() {
    const { start, end } = this.voice;
    const { duration } = this.timeline.view;
    const spans = end === null ? [{ start: 0, end: duration }] : [{ start: 0, end: start }, { start: end, end: duration }];
    return spans.filter((one) => one.end - one.start > SHORT);
  }

  #wave(pen, width, inks, waveform) {
    if (!waveform) return;
    const { low, high, step, start } = waveform;
    let full = 1;
    for (let i = 0; i < low.length; i += 1) full = Math.max(full, -low[i], high[i]);
    const middle = WAVE / 2;
    const half = WAVE / 2 - 2;
    pen.fillStyle = inks.line;
    for (let x = 0; x < width; x += 1) {
      const from = clamp(Math.floor((this.timeline.at(x) - start) / step), 0, low.length);
      const to = clamp(Math.ceil((this.timeline.at(x + 1) - start) / step), from, low.length);
      if (to === from) continue; // no sound here
      let least = 0;
      let most = 0;
      for (let i = from; i < to; i += 1) {
        least = Math.min(least, low[i]);
        most = Math.max(most, high[i]);
      }
      pen.fillRect(x, middle - (half * most) / full, 1, Math.max(1, (half * (most - least)) / full));
    }
  }

  #spectrum(pen, width, spectrogram, picture) {
    if (!picture?.naturalWidth) return; // not loaded yet
    const { start, end } = spectrogram;
    const share = (time) => (time - start) / (end - start);
    const [from, to] = [clamp(share(this.timeline.from), 0, 1), clamp(share(this.timeline.to), 0, 1)];
    if (to <= from) return;
    const { naturalWidth: wide, naturalHeight: tall } = picture;
    const x = this.timeline.x(start + from * (end - start));
    const until = this.timeline.x(start + to * (end - start));
    pen.drawImage(picture, from * wide, 0, Math.max(1, (to - from) * wide), tall, x, WAVE, Math.min(width, until) - x, SPECTRUM);
  }

  #scores(pen, width, inks, { scores, enter, leave, reach }) {
    const top = WAVE + SPECTRUM + 4;
    const bottom = HEIGHT - 4;
    const y = (value) => bottom - (bottom - top) * value;
    pen.strokeStyle = inks.muted;
    for (const [value, dash] of [[enter, [6, 3]], [leave, [2, 3]]]) {
      pen.setLineDash(dash);
      pen.beginPath();
      pen.moveTo(0, y(value));
      pen.lineTo(width, y(value));
      pen.stroke();
      pen.fillStyle = inks.muted;
      const label = decimal(value, 2);
      pen.fillText(label, width - pen.measureText(label).width - 2, y(value) + (value === enter ? -2 : 10));
    }
    pen.setLineDash([]);
    pen.strokeStyle = inks.line;
    pen.lineWidth = 1.6;
    pen.beginPath();
    let last = null;
    const first = Math.max(0, lowerBound(scores.time, this.timeline.from) - 1);
    for (let i = first; i < scores.time.length && (i === 0 || scores.time[i - 1] <= this.timeline.to); i += 1) {
      const time = scores.time[i];
      if (last === null || time - last > reach) pen.moveTo(this.timeline.x(time), y(scores.smooth[i]));
      else pen.lineTo(this.timeline.x(time), y(scores.smooth[i]));
      last = time;
    }
    pen.stroke();
    pen.lineWidth = 1;
  }
}

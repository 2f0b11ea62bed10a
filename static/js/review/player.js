// The exhibit playing, with boxes and heatmaps drawn over it in step with the picture.
// Times are seconds from the first frame; the media element's own differ by `offset`.

import { byId } from "../dom.js";
import { probability, timecode } from "../formats.js";
import { _, percent } from "../language.js";
import { clamp, lowerBound } from "../numbers.js";
import { boxAt } from "./data.js";
import { PhotoView } from "./photo_view.js";

const INSIDE = 5e-4; // seconds into a frame, so that a browser rounding down still shows it
const REACH = 0.06; // seconds around a peak frame in which its heatmap is shown
const BACKWARDS = 120; // milliseconds between two frames when playing backwards
const SAME = 2e-3; // seconds; nearer than this is the frame shown

export class Player {
  /** `view` gives `faces()`, `peaks()`, and `rules`; `onTime` hears each time the picture changes. */
  constructor(data, view, onTime) {
    this.data = data;
    this.view = view;
    this.onTime = onTime;
    this.time = 0;
    this.overlay = { boxes: true, heat: 0.75, dim: 0 };
    this.maps = new Map();
    this.stage = byId("stage");
    this.canvas = byId("boxes");
    this.video = byId("video");
    this.still = byId("still");
    this.back = null;
    const { media } = data.raw;
    this.offset = media.offset;
    this.plays = media.source !== null && !data.still;
    this.stage.style.aspectRatio = `${media.width} / ${media.height}`;
    this.stage.style.setProperty("--shape", media.width / media.height);
    this.video.hidden = !this.plays;
    this.still.hidden = this.plays;
    if (this.plays) this.#startVideo(media);
    else if (data.still) this.#startStill(media);
    else this.#nothingPlays(media.reason);
    this.size = { width: 0, height: 0 };
    this.photo = data.still ? new PhotoView(this.stage, media, () => this.draw()) : null;
    new ResizeObserver(() => {
      this.size = this.stage.getBoundingClientRect();
      this.draw();
    }).observe(this.stage);
    if (data.still) for (const peak of view.peaks()) this.#map(peak);
  }

  #startVideo(media) {
    const { video } = this;
    video.src = media.source;
    video.addEventListener("play", () => this.#playing());
    video.addEventListener("pause", () => this.#playing());
    video.addEventListener("ended", () => this.#playing());
    video.addEventListener("ratechange", () => this.#playing());
    video.addEventListener("error", () => {
      this.plays = false;
      this.video.hidden = true;
      this.#nothingPlays(_("This browser cannot play the video."));
      this.seek(this.time);
    });
    if ("requestVideoFrameCallback" in video) {
      const frame = (_now, facts) => {
        // While it seeks, this is a frame from before: the time wanted would be lost, and with it a second key.
        if (!video.seeking) this.#at(facts.mediaTime - this.offset);
        video.requestVideoFrameCallback(frame);
      };
      video.requestVideoFrameCallback(frame);
    } else {
      const tick = () => {
        if (!video.paused) this.#at(video.currentTime - this.offset);
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
      video.addEventListener("seeked", () => this.#at(video.currentTime - this.offset));
    }
  }

  #nothingPlays(reason) {
    this.reason = reason || _("The video cannot be shown here.");
    this.#explain(this.reason);
    for (const id of ["play", "rate"]) byId(id).disabled = true;
  }

  #startStill(media) {
    // Where the photo itself is not at hand, a kept frame is the same picture, perhaps smaller.
    const picture = media.source ?? this.data.raw.photo?.picture;
    if (!picture) {
      this.still.hidden = true;
      this.#explain(media.reason || _("The photo cannot be shown here."));
      return;
    }
    this.still.src = picture;
    this.still.alt = _("The photo %(file)s", { file: media.file });
    this.still.addEventListener("load", () => this.draw());
    this.still.addEventListener("error", () => this.#explain(_("This browser cannot show the photo.")));
  }

  #explain(text) {
    byId("stage-note").textContent = text;
    byId("stage-note").hidden = !text;
  }

  #playing() {
    const moving = this.plays && !this.video.paused;
    byId("play").setAttribute("aria-label", moving ? _("Pause") : _("Play"));
    byId("play").classList.toggle("playing", moving);
    byId("rate").value = String(this.video.playbackRate);
  }

  #at(time) {
    this.time = Math.max(0, time);
    this.draw();
    this.onTime(this.time);
  }

  get paused() { return !this.plays || this.video.paused; }

  seek(time) {
    const end = this.data.raw.media.duration;
    const wanted = clamp(time, 0, end);
    this.#stopBack();
    if (this.plays) {
      this.video.currentTime = Math.min(wanted + INSIDE + this.offset, this.video.duration || Infinity);
    } else if (!this.data.still) {
      this.#showKept(wanted);
    }
    this.#at(wanted);
  }

  #showKept(time) {
    const peak = this.view.peaks().find((one) => Math.abs(one.time - time) < REACH && one.frame);
    this.still.hidden = !peak;
    if (!peak) {
      const kept = this.view.peaks().some((one) => one.frame);
      const words = kept ? _("No frame was kept at %(time)s, only those at peaks: N and P go there.", { time: timecode(time) }) : "";
      this.#explain(`${this.reason} ${words}`.trim());
      return;
    }
    this.#explain("");
    this.still.alt = _("Kept frame at %(time)s", { time: timecode(peak.time) });
    this.still.src = peak.frame;
  }

  toggle() { if (this.paused && this.back === null) this.play(); else this.pause(); }

  play(rate = 1) {
    if (!this.plays) return;
    this.#stopBack();
    this.video.playbackRate = rate;
    this.video.play().catch(() => {}); // a browser may refuse; the button then still says Play
  }

  pause() {
    this.#stopBack();
    if (this.plays) this.video.pause();
  }

  /** L: plays, and faster each time, up to four times. */
  faster() {
    if (this.paused) this.play(1);
    else this.play(Math.min(4, this.video.playbackRate * 2));
  }

  /** J: backwards by analysed frames, at the pace they were sampled, which no browser plays by itself. */
  backwards() {
    if (!this.plays || this.back !== null) return;
    this.video.pause();
    this.back = setInterval(() => {
      if (this.video.seeking) return; // the frame before is not there yet: not to run ahead of the picture
      if (this.time <= this.data.frames[0]) this.#stopBack();
      else this.#jump(this.neighbour(-1, BACKWARDS / 1000 - SAME));
    }, BACKWARDS);
  }

  #jump(time) {
    this.video.currentTime = time + INSIDE + this.offset;
    this.#at(time);
  }

  #stopBack() {
    clearInterval(this.back);
    this.back = null;
  }

  /** Time of the next (1) or previous (-1) analysed frame, more than so many seconds away. */
  neighbour(direction, away = SAME) {
    const { frames } = this.data;
    if (!frames.length) return clamp(this.time + direction * 0.125, 0, this.data.raw.media.duration);
    const index = direction > 0 ? lowerBound(frames, this.time + away) : lowerBound(frames, this.time - away) - 1;
    return frames[clamp(index, 0, frames.length - 1)];
  }

  step(direction) {
    this.pause();
    this.seek(this.neighbour(direction));
  }

  /** Where frame pixels lie on the canvas: the picture is fitted into the stage. */
  #fit() {
    const { width, height } = this.data.raw.media;
    const box = this.size;
    if (this.photo) return this.photo.place(box);
    const scale = Math.min(box.width / width, box.height / height);
    return { box, scale, x: (box.width - scale * width) / 2, y: (box.height - scale * height) / 2 };
  }

  draw() {
    const { box, scale, x, y } = this.#fit();
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
    if (this.photo) this.#drawPhoto(pen, x, y, scale, dense);
    this.#drawMaps(pen, x, y, scale);
    if (this.overlay.boxes) {
      // Those with a finding last: in a group photo the labels of neighbours must not lie over theirs.
      const found = new Set(this.data.raw.segments.map((one) => one.person));
      const faces = [...this.view.faces()].sort((a, b) => found.has(a.id) - found.has(b.id));
      for (const face of faces) this.#drawBox(pen, face, x, y, scale);
    }
  }

  /** What of a photo lies in the stage, pixel by pixel where it is near, and dimmed where only heat is to be seen. */
  #drawPhoto(pen, x, y, scale, dense) {
    const { still, size } = this;
    const { width, height } = this.data.raw.media;
    if (this.photo.zoom > 1 && still.naturalWidth) {
      const own = still.naturalWidth / width;
      const [left, top] = [Math.max(0, -x / scale), Math.max(0, -y / scale)];
      const wide = Math.min(width, (size.width - x) / scale) - left;
      const high = Math.min(height, (size.height - y) / scale) - top;
      pen.fillStyle = "#0c0e11";
      pen.fillRect(0, 0, size.width, size.height);
      pen.imageSmoothingEnabled = (scale * dense) / own < 2;
      pen.imageSmoothingQuality = "high";
      pen.drawImage(still, left * own, top * own, wide * own, high * own, x + left * scale, y + top * scale, wide * scale, high * scale);
      pen.imageSmoothingEnabled = true;
    }
    if (this.overlay.dim) {
      pen.fillStyle = `rgb(0 0 0 / ${this.overlay.dim})`;
      pen.fillRect(x, y, width * scale, height * scale);
    }
    const words = byId("photo-zoom"); // a comparison shows none
    if (words) words.textContent = percent(scale * dense);
  }

  #drawMaps(pen, x, y, scale) {
    const { width, height } = this.data.raw.media;
    for (const peak of this.view.peaks()) {
      if (!this.overlay.heat || (!this.data.still && Math.abs(peak.time - this.time) > REACH)) continue;
      const map = this.#map(peak);
      if (!map || !map.complete || !map.naturalWidth) continue;
      pen.globalAlpha = this.overlay.heat;
      pen.drawImage(map, x, y, width * scale, height * scale);
      pen.globalAlpha = 1;
      this.drawn.push({ map: peak.id });
    }
  }

  #map(peak) {
    if (!peak.map) return null;
    if (!this.maps.has(peak.id)) {
      const image = new Image();
      image.addEventListener("load", () => this.draw());
      image.src = peak.map;
      this.maps.set(peak.id, image);
    }
    return this.maps.get(peak.id);
  }

  #boxWords(name, score, state) {
    if (state === "unusable") return _("%(name)s: not judged", { name });
    const known = { name, score: probability(score) };
    if (state !== "high") return `${name}: ${known.score}`;
    return this.photo ? _("%(name)s: %(score)s flagged", known) : _("%(name)s: %(score)s flag level", known);
  }

  // Above a box, or below one at the upper edge; none for a box that an enlarged photo has moved out of sight.
  #drawLabel(pen, words, [left, top, right, bottom], colour) {
    const density = window.devicePixelRatio || 1;
    const [across, down] = [pen.canvas.width / density, pen.canvas.height / density];
    if (right < 0 || left > across || bottom < 0 || top > down) return;
    pen.font = "600 12px system-ui, sans-serif";
    const wide = pen.measureText(words).width + 10;
    const above = top >= 20 ? top - 20 : bottom + 2;
    const beside = clamp(left - 2, 0, Math.max(0, across - wide));
    pen.fillStyle = "rgb(12 14 17 / 82%)";
    pen.fillRect(beside, above, wide, 18);
    pen.fillStyle = colour;
    pen.fillText(words, beside + 5, above + 13);
  }

  #drawBox(pen, face, x, y, scale) {
    const found = boxAt(face.lane, this.time);
    if (!found) return;
    const [left, top, right, bottom] = [...found.box].map((value, k) => value * scale + (k % 2 ? y : x));
    const score = face.lane.smooth[found.index];
    const { enter, exit } = this.view.rules;
    // A face of a photo is flagged or it is not: one that other views contradict is not, however high it is.
    const high = this.photo ? this.data.raw.segments.some((one) => one.person === face.id) : score >= enter;
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
    this.#drawLabel(pen, this.#boxWords(face.name, score, state), [left, top, right, bottom], colour);
    this.drawn.push({ face: face.id, state, box: [...found.box], at: this.time, screen: [left, top, right, bottom] });
  }
}

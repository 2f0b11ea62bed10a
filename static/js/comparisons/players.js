// Two videos under one control. The exhibit leads, and the reference follows according to the time map.

import { _ } from "../language.js";
import { clamp } from "../numbers.js";
import { TimeMap } from "./time_map.js";

const INTO_FRAME = 0.0005; // seconds, because Chromium truncates times to whole microseconds
const MAX_DRIFT = 0.06; // seconds by which the reference may be off while both play

export class Players {
  /** `figures` are the two sides, `data` their description, `onTime` is called with each new time. */
  constructor(figures, data, onTime) {
    this.data = data;
    this.onTime = onTime;
    this.sides = figures.map((figure, number) => ({
      figure,
      file: data.files[number],
      video: figure.querySelector("video"),
      gap: figure.querySelector(".side-gap"),
      output: figure.querySelector(".side-time"),
    }));
    this.frame = 1 / data.files[0].rate;
    this.length = data.files[0].duration;
    this.map = new TimeMap(data.pieces, this.frame);
    this.time = 0;
    this.playing = false;
    for (const { video } of this.sides) {
      if (!video) continue;
      video.controls = false;
      video.muted = true;
    }
    this.sides[0].video?.addEventListener("ended", () => this.pause());
  }

  /** The exhibit's video, if it can be played. */
  get leader() { return this.sides[0].video; }

  seek(time) {
    this.time = clamp(time, 0, Math.max(0, this.length - this.frame / 2));
    if (this.leader) this.leader.currentTime = this.sides[0].file.offset + this.time + INTO_FRAME;
    this.follow(true);
  }

  step(frames) {
    this.pause();
    this.seek((Math.round(this.time / this.frame + 1e-6) + frames) * this.frame);
  }

  async play() {
    if (!this.leader || this.playing) return;
    if (this.time >= this.length - 2 * this.frame) this.seek(0);
    this.playing = true;
    try {
      await this.leader.play();
    } catch {
      this.playing = false;
      return;
    }
    const tick = () => {
      if (!this.playing) return;
      this.time = clamp(this.leader.currentTime - this.sides[0].file.offset, 0, this.length);
      this.follow(false);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    for (const { video } of this.sides) video?.pause();
    this.seek(this.time);
  }

  /** Move the reference to the corresponding time; `exactly` while nothing plays. */
  follow(exactly) {
    const { video, gap, file } = this.sides[1];
    const piece = this.map.piece(this.time);
    const wanted = this.map.reference(this.time);
    const none = wanted === null && !file.still;
    gap.hidden = !none;
    if (none) gap.textContent = _("Not in the reference");
    if (video && wanted !== null) {
      const place = file.offset + Math.min(wanted, Math.max(0, file.duration - 0.001)) + INTO_FRAME;
      if (exactly || !this.playing) {
        if (!video.paused) video.pause();
        video.currentTime = place;
      } else {
        video.playbackRate = clamp(TimeMap.speed(piece), 0.25, 4);
        if (Math.abs(video.currentTime - place) > MAX_DRIFT) video.currentTime = place;
        if (video.paused) video.play().catch(() => {});
      }
    } else if (video && !video.paused) {
      video.pause();
    }
    this.onTime(this.time, wanted);
  }
}

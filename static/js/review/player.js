// The exhibit, playing or still; the overlay is redrawn whenever the picture changes.
// Times are seconds from the first frame; those of the media element differ by `offset`.

import { byId } from "../dom.js";
import { timecode } from "../formats.js";
import { _ } from "../language.js";
import { clamp, lowerBound } from "../numbers.js";
import { Overlay, REACH } from "./overlay.js";
import { PhotoView } from "./photo_view.js";

const INSIDE = 5e-4; // seconds into a frame, so that browsers that round down still show it
const BACKWARDS = 120; // milliseconds between two frames in reverse
const LATE = 0.5; // seconds that a picture stays before the clock goes on without another
const SAME = 2e-3; // seconds; a nearer time is the frame already shown

export class Player {
  /** `view` is that of the overlay; `onTime` is called whenever the picture changes. */
  constructor(data, view, onTime) {
    this.data = data;
    this.view = view;
    this.onTime = onTime;
    this.time = 0;
    this.stage = byId("stage");
    this.video = byId("video");
    this.still = byId("still");
    this.back = null;
    this.until = null; // where what plays ends, if that is a span
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
    this.overlay = new Overlay(data, view, this.photo, () => this.draw());
    new ResizeObserver(() => {
      this.size = this.stage.getBoundingClientRect();
      this.draw();
    }).observe(this.stage);
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
      this.#nothingPlays(media.kind === "audio" ? _("This browser cannot play the sound.") : _("This browser cannot play the video."));
      this.seek(this.time);
    });
    if ("requestVideoFrameCallback" in video && media.kind !== "audio") {
      // While a picture stays, or after the last one, where the sound goes on, no frame comes.
      let shown = 0;
      const stays = () => Math.abs(video.currentTime - shown) >= LATE;
      const frame = (_now, facts) => {
        shown = facts.mediaTime;
        // A frame from before the seek: keep the wanted time, which a second key press builds on.
        if (!video.seeking) this.#at((stays() ? video.currentTime : shown) - this.offset);
        video.requestVideoFrameCallback(frame);
      };
      video.requestVideoFrameCallback(frame);
      this.#follow(stays);
    } else {
      this.#follow(() => true);
      video.addEventListener("seeked", () => this.#at(video.currentTime - this.offset));
    }
  }

  /** Follow the clock of what plays, while `applies`. */
  #follow(applies) {
    const { video } = this;
    const tick = () => {
      if (!video.paused && !video.seeking && applies()) this.#at(video.currentTime - this.offset);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  #nothingPlays(reason) {
    this.reason = reason || (this.data.raw.media.kind === "audio" ? _("The sound cannot be played here.") : _("The video cannot be shown here."));
    this.#explain(this.reason);
    for (const id of ["play", "rate"]) byId(id).disabled = true;
  }

  #startStill(media) {
    // Without the photo itself, a stored frame shows the same picture, perhaps smaller.
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
    if (this.until !== null && this.time >= this.until) this.pause();
  }

  get paused() { return !this.plays || this.video.paused; }

  seek(time) {
    const wanted = clamp(time, 0, this.data.duration);
    this.until = null;
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

  /** Play, at the chosen speed unless another is given. */
  play(rate = this.video.playbackRate) {
    if (!this.plays) return;
    this.#stopBack();
    this.video.playbackRate = rate;
    this.video.play().catch(() => {}); // browsers may refuse; the button then still says Play
  }

  /** Play from one time to another, at the usual speed. */
  playSpan(from, to) {
    if (!this.plays) return;
    this.seek(from);
    this.until = to;
    this.play(1);
  }

  pause() {
    this.until = null;
    this.#stopBack();
    if (this.plays) this.video.pause();
  }

  /** L: play, and faster with each press, up to four times. */
  faster() {
    if (this.paused) this.play(1);
    else this.play(Math.min(4, this.video.playbackRate * 2));
  }

  /** J: play backwards by analysed frames at their sampling rate; no browser does that by itself. */
  backwards() {
    if (!this.plays || this.back !== null) return;
    this.video.pause();
    this.back = setInterval(() => {
      if (this.video.seeking) return; // the previous frame is not shown yet
      if (this.time <= (this.data.frames[0] ?? 0)) this.#stopBack();
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

  /** The time of the next (1) or previous (-1) analysed frame, at least so many seconds away. */
  neighbour(direction, away = SAME) {
    const { frames } = this.data;
    if (!frames.length) return clamp(this.time + direction * 0.125, 0, this.data.duration);
    const index = direction > 0 ? lowerBound(frames, this.time + away) : lowerBound(frames, this.time - away) - 1;
    return frames[clamp(index, 0, frames.length - 1)];
  }

  step(direction) {
    this.pause();
    this.seek(this.neighbour(direction));
  }

  draw() { this.overlay.draw(this.time, this.size); }
}

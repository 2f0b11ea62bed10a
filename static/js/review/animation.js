// Animated heatmaps: those of all sampled frames of a segment, requested, followed, and shown over the video and
// enlarged.

import { el } from "../dom.js";
import { probability, timecode } from "../formats.js";
import { _, percentDone } from "../language.js";
import { askState, send } from "../requests.js";

const INTERVAL = 1000; // ms between two questions about the progress
const OPACITY = 0.75; // of a heatmap, as in stored pictures
const PICTURE_SIDE = 320; // px of the pictures
const GAP = 0.3; // seconds; a heatmap is not shown further from its frame

export class Animations {
  /** `address` begins the addresses of segments; null where nothing can be computed, as in a bundle. */
  constructor(desk, address) {
    this.desk = desk;
    this.address = address;
    this.bySegment = new Map();
  }

  /** The animation of a segment for the inspector, the same element each time; null where there is none. */
  of(segment) {
    if (!this.address || !segment.flagged) return null;
    if (!this.bySegment.has(segment.id)) {
      this.bySegment.set(segment.id, new Animation(this.desk, segment, `${this.address}/${segment.id}/heatmaps`));
    }
    return this.bySegment.get(segment.id).place;
  }

  /** The heatmaps to lay over the frame at `time`, with the part of the frame that each covers. */
  at(time) {
    return [...this.bySegment.values()].map((animation) => animation.at(time)).filter(Boolean);
  }
}

class Animation {
  constructor(desk, segment, address) {
    this.desk = desk;
    this.segment = segment;
    this.address = address;
    this.place = el("div", { class: "animation", role: "group", "aria-label": _("Animated heatmap of %(segment)s", { segment: segment.id }) });
    this.frames = [];
    this.index = 0;
    this.playing = null;
    askState(address).then(({ content }) => this.#take(content ?? { state: "absent" }));
  }

  at(time) {
    if (!this.frames.length || time < this.segment.start - GAP || time > this.segment.end + GAP) return null;
    const nearest = this.frames.reduce((best, one) => (Math.abs(one.time - time) < Math.abs(best.time - time) ? one : best));
    if (Math.abs(nearest.time - time) > GAP || !nearest.mapImage.complete || !nearest.mapImage.naturalWidth) return null;
    return { segment: this.segment.id, image: nearest.mapImage, part: nearest.part, time: nearest.time };
  }

  async #request() {
    try {
      this.#take(await send(this.address));
    } catch (problem) {
      this.#take({ state: "failed", error: problem.message });
    }
  }

  #follow() {
    setTimeout(async () => {
      const { status, content } = await askState(this.address);
      if (content) this.#take(content);
      else if (!status || status >= 500) this.#follow(); // it may be back in a moment
      else this.#take({ state: "failed", error: _("The heatmaps could not be fetched. Reload the page.") });
    }, INTERVAL);
  }

  async #cancel() {
    try {
      this.#take(await send(this.address.replace(/heatmaps$/, "cancel-heatmaps")));
    } catch (problem) {
      this.#take({ state: "failed", error: problem.message });
    }
  }

  #take(content) {
    const button = (words) => el("button", { type: "button", id: `animate-${this.segment.id}`, onclick: () => this.#request() }, words);
    switch (content.state) {
      case "done":
        this.#show(content.frames);
        break;
      case "waiting":
      case "computing":
        this.place.replaceChildren(
          el("p", { role: "status" }, content.state === "waiting"
            ? _("The heatmaps wait until those of another segment are computed.")
            : _("Computing a heatmap for each sampled frame: %(share)s", { share: percentDone(content.progress) })),
          el("progress", { max: 1, value: content.progress, "aria-label": _("Animated heatmap of %(segment)s", { segment: this.segment.id }) }),
          el("button", { type: "button", id: `cancel-${this.segment.id}`, onclick: () => this.#cancel() }, _("Cancel")));
        this.#follow();
        break;
      case "failed":
      case "cancelled":
        this.#part(content.frames, content.state === "failed"
          ? el("p", { class: "problem", role: "alert" }, content.error)
          : el("p", { role: "status" }, _("Cancelled.")), button(_("Try again")));
        break;
      default:
        this.#part(content.frames, button(_("Animate heatmap")), " ",
          el("span", { class: "muted" }, _("Computes a heatmap for each sampled frame of this segment, about one a second.")));
    }
  }

  /** What is to be said, and below it the frames that exist. */
  #part(frames, ...words) {
    if (frames?.length) {
      this.#show(frames);
      this.place.prepend(...words);
    } else this.place.replaceChildren(...words);
  }

  #show(frames) {
    const picture = (address, onload) => {
      const image = new Image();
      image.addEventListener("load", onload);
      image.src = address;
      return image;
    };
    const redraw = () => { this.#draw(); this.desk.player.draw(); };
    this.frames = frames.map((frame) => ({ ...frame, image: picture(frame.frame, redraw), mapImage: picture(frame.map, redraw) }));
    if (!frames.length) {
      this.place.replaceChildren(el("p", { class: "muted" }, _("No frame of this segment could be read again.")));
      return;
    }
    const canvas = (words) => el("canvas", { width: PICTURE_SIDE, height: PICTURE_SIDE, role: "img", "aria-label": words });
    const id = this.segment.id;
    this.canvases = [canvas(_("Original, %(segment)s", { segment: id })), canvas(_("With heatmap, %(segment)s", { segment: id }))];
    this.button = el("button", { type: "button", id: `animation-play-${id}`, onclick: () => (this.playing ? this.#pause() : this.#play()) }, _("Play"));
    this.slider = el("input", { type: "range", id: `animation-frame-${id}`, min: 0, max: frames.length - 1, step: 1, value: 0, "aria-label": _("Frame of the animation"),
      oninput: () => { this.#pause(); this.#go(Number(this.slider.value)); } });
    this.now = el("button", { type: "button", class: "time quiet", title: _("Go to this frame"), onclick: () => { this.desk.player.pause(); this.desk.player.seek(this.frames[this.index].time); } });
    this.words = el("span", { class: "number" });
    this.place.replaceChildren(
      el("div", { class: "animation-pictures" },
        el("figure", {}, this.canvases[0], el("figcaption", {}, _("Original"))),
        el("figure", {}, this.canvases[1], el("figcaption", {}, _("With the heatmap of each frame")))),
      el("div", { class: "animation-controls" }, this.button, this.slider, this.now, this.words),
      el("p", { class: "muted" }, _("Each frame is explained by its own answers; the higher its score, the brighter its heatmap. It lies over the video as well, and has no check of its own.")));
    this.#go(0);
  }

  #play() {
    const began = performance.now() - 1000 * (this.frames[this.index].time - this.frames[0].time);
    const length = this.frames.at(-1).time - this.frames[0].time + 0.25; // the last frame stays a moment
    this.button.textContent = _("Pause");
    const step = (now) => {
      const time = this.frames[0].time + (((now - began) / 1000) % length);
      const after = this.frames.findIndex((one) => one.time > time);
      this.#go(after < 0 ? this.frames.length - 1 : Math.max(0, after - 1));
      this.playing = this.place.isConnected ? requestAnimationFrame(step) : null;
      if (!this.playing) this.#pause();
    };
    this.playing = requestAnimationFrame(step);
  }

  #pause() {
    cancelAnimationFrame(this.playing);
    this.playing = null;
    this.button.textContent = _("Play");
  }

  #go(index) {
    this.index = index;
    this.slider.value = String(index);
    const { time, probability: score } = this.frames[index];
    this.now.textContent = timecode(time);
    this.words.textContent = _("score %(score)s", { score: probability(score, this.desk.data.raw.rules.enter) });
    this.#draw();
  }

  #draw() {
    if (!this.canvases) return;
    const { image, mapImage } = this.frames[this.index];
    const drawn = (picture) => picture.complete && picture.naturalWidth;
    if (!drawn(image)) return;
    for (const [number, canvas] of this.canvases.entries()) {
      const pen = canvas.getContext("2d");
      pen.globalAlpha = 1;
      pen.drawImage(image, 0, 0, PICTURE_SIDE, PICTURE_SIDE);
      pen.globalAlpha = OPACITY;
      if (number && drawn(mapImage)) pen.drawImage(mapImage, 0, 0, PICTURE_SIDE, PICTURE_SIDE);
    }
  }
}

// Persons: thumbnails, names, merging two persons into one, and splitting one into two.

import { byId, el, icon } from "../dom.js";
import { timecode } from "../formats.js";
import { _, ngettext } from "../language.js";
import { verified } from "./annotations.js";
import { personName } from "./data.js";
import { keepFocus, keepTyped } from "./focus.js";
import { judged } from "./timeline.js";

const SIDE = 56; // px of a thumbnail

export class PersonPanel {
  constructor(desk) {
    this.desk = desk;
    this.thumbs = new Map();
    this.queue = [];
    this.busy = false; // whether a frame is being read for a thumbnail
    this.reader = null;
  }

  draw() {
    const { desk } = this;
    const place = byId("persons");
    const open = [...place.querySelectorAll("details[open]")].map((more) => more.closest("[data-person]").dataset.person);
    keepFocus(place, () => keepTyped(place, () => {
      place.replaceChildren(...desk.persons.map((person) => this.#card(person, open.includes(person.id))));
      if (!desk.persons.length) place.append(el("p", { class: "nothing" }, _("No face was found.")));
    }));
  }

  /** A picture of the face, drawn when there is one. */
  thumb(person, side = SIDE) {
    const canvas = el("canvas", { class: "face-thumb", width: 2 * side, height: 2 * side, "aria-hidden": "true" });
    const known = this.thumbs.get(this.#key(person));
    if (known) canvas.getContext("2d").drawImage(known, 0, 0, 2 * side, 2 * side);
    else this.#wanted(person, canvas);
    return canvas;
  }

  #key(person) { return [...person.tracks].sort((a, b) => a - b).join(" "); }

  #wanted(person, canvas) {
    const { scores } = person;
    let best = -1;
    for (let i = 0; i < scores.time.length; i += 1) {
      const size = (j) => scores.box[4 * j + 2] - scores.box[4 * j];
      if (!Number.isNaN(scores.smooth[i]) && (best < 0 || size(i) > 1.05 * size(best))) best = i;
    }
    if (best < 0) best = scores.time.length >> 1;
    if (!scores.time.length) return;
    this.queue.push({ person, canvas, time: scores.time[best], box: [...scores.box.subarray(4 * best, 4 * best + 4)] });
    this.#next();
  }

  /** Read frames from a second, silent player, so that the visible one does not move. */
  #next() {
    const { desk } = this;
    const { media } = desk.data.raw;
    if (this.busy || !this.queue.length) return;
    this.busy = true;
    const { person, canvas, time, box } = this.queue.shift();
    const done = (picture) => {
      if (picture) this.#paint(picture, person, canvas, box);
      this.busy = false;
      this.#next();
    };
    if (desk.data.still || !media.source) {
      // Without playback, only flagged persons have pictures: their peak frames.
      const peak = desk.segments.find((segment) => desk.personOf(segment)?.id === person.id)?.peaks.find((one) => one.frame);
      const address = media.source ?? peak?.frame;
      if (!address) {
        done(null);
        return;
      }
      if (!media.source) {
        const [left, top, side] = peak.close_up.split(" ").map(Number);
        box.splice(0, 4, left, top, left + side, top + side);
      }
      const image = new Image();
      image.addEventListener("load", () => done(image));
      image.addEventListener("error", () => done(null));
      image.src = address;
      return;
    }
    if (!this.reader) {
      this.reader = document.createElement("video");
      this.reader.muted = true;
      this.reader.preload = "auto";
      this.reader.src = media.source;
    }
    const { reader } = this;
    const stop = new AbortController();
    const finish = (picture) => { stop.abort(); done(picture); };
    reader.addEventListener("seeked", () => finish(reader), { signal: stop.signal });
    reader.addEventListener("error", () => finish(null), { signal: stop.signal });
    reader.currentTime = time + desk.data.raw.media.offset + 5e-4;
  }

  #paint(picture, person, canvas, [left, top, right, bottom]) {
    const { width, height } = this.desk.data.raw.media;
    const across = picture.videoWidth || picture.naturalWidth;
    const down = picture.videoHeight || picture.naturalHeight;
    // A video may change its size: each frame is centred and as large as possible.
    const scale = Math.max(across / width, down / height);
    const side = 1.35 * Math.max(right - left, bottom - top);
    canvas.getContext("2d").drawImage(picture,
      (across + scale * (left + right - side - width)) / 2, (down + scale * (top + bottom - side - height)) / 2,
      scale * side, scale * side, 0, 0, canvas.width, canvas.height);
    const kept = document.createElement("canvas");
    kept.width = canvas.width;
    kept.height = canvas.height;
    kept.getContext("2d").drawImage(canvas, 0, 0);
    this.thumbs.set(this.#key(person), kept);
    // Other elements of the same face that were drawn before this picture existed.
    for (const other of document.querySelectorAll(`canvas[data-face="${CSS.escape(person.id)}"]`)) {
      other.getContext("2d").drawImage(kept, 0, 0, other.width, other.height);
    }
  }

  #card(person, open) {
    const { desk } = this;
    const name = el("input", { id: `name-${person.id}`, maxlength: 80, value: person.name, autocomplete: "off", spellcheck: "false" });
    const rename = el("form", { class: "inline", onsubmit: (event) => {
      event.preventDefault();
      const text = name.value.trim();
      if (text && text !== person.name) desk.record({ kind: "rename", person: person.id, name: text }, _("Renamed to %(name)s.", { name: text }));
    } }, el("label", { for: `name-${person.id}`, class: "visually-hidden" }, _("Name of person %(person)s", { person: person.id })), name, el("button", { type: "submit", "data-focus": `rename-${person.id}` }, _("Rename")));
    const others = desk.persons.filter((other) => other.id !== person.id);
    const thumb = this.thumb(person);
    thumb.dataset.face = person.id;
    const flagged = desk.segments.filter((segment) => (segment.flagged || !desk.data.still) && desk.personOf(segment)?.id === person.id).length;
    const scored = ngettext("%(num)s scored frame", "%(num)s scored frames", judged(person.scores));
    const flags = desk.data.still
      ? ngettext("%(num)s flag", "%(num)s flags", flagged)
      : ngettext("%(num)s segment", "%(num)s segments", flagged);
    return el("article", { class: "person", "data-person": person.id },
      el("div", { class: "person-top" }, thumb,
        el("div", { class: "person-words" }, el("h3", {}, person.name, person.name === personName(person.id) ? null : el("span", { class: "muted" }, " ", _("(person %(person)s)", { person: person.id }))),
          el("p", {}, `${scored}, ${flags}`),
          this.#merged(person))),
      el("details", { class: "person-more", open }, el("summary", { "data-focus": `more-${person.id}` }, _("Rename, merge or split")),
        rename,
        others.length ? this.#merge(person, others) : null,
        person.tracks.size > 1 ? this.#split(person) : el("p", { class: "muted" }, _("One unbroken track: nothing to split."))));
  }

  #merged(person) {
    const { desk } = this;
    const acts = desk.current.filter((one) => one.kind === "merge" && verified(one) && one.into === person.id);
    return acts.length ? el("p", {}, acts.map((act) => el("span", { class: "tag" }, _("with person %(person)s", { person: act.person }), " ",
      act.author === desk.author() && !desk.store.silent ? el("button", { type: "button", class: "quiet", "data-focus": `undo-${act.id}`, onclick: () => desk.withdraw(act) }, _("undo")) : null))) : null;
  }

  #merge(person, others) {
    const { desk } = this;
    const choice = el("select", { id: `same-${person.id}` }, ...others.map((other) => el("option", { value: other.id }, other.name)));
    return el("form", { class: "inline", onsubmit: (event) => {
      event.preventDefault();
      const other = desk.persons.find((one) => one.id === choice.value).name;
      desk.record({ kind: "merge", person: person.id, into: choice.value }, _("%(name)s is now shown with %(other)s.", { name: person.name, other }));
    } }, el("label", { for: `same-${person.id}` }, _("Same face as")), choice, el("button", { type: "submit", "data-focus": `merge-${person.id}` }, _("Merge")));
  }

  #split(person) {
    const { desk } = this;
    const { scores } = person;
    const tracks = new Map();
    scores.track.forEach((track, i) => {
      if (!tracks.has(track)) tracks.set(track, [scores.time[i], scores.time[i]]);
      tracks.get(track)[1] = scores.time[i];
    });
    const boxes = [...tracks].map(([track, [start, end]]) => {
      const check = el("input", { type: "checkbox", value: track, id: `track-${person.id}-${track}` });
      return el("li", {}, check, el("label", { for: check.id, class: "time" }, `${timecode(start)} – ${timecode(end)}`),
        el("button", { type: "button", class: "quiet", "aria-label": _("Go to %(time)s", { time: timecode(start) }), onclick: () => desk.player.seek(start) }, icon("play")));
    });
    return el("form", { onsubmit: (event) => {
      event.preventDefault();
      const chosen = boxes.map((row) => row.querySelector("input")).filter((check) => check.checked).map((check) => Number(check.value));
      if (!chosen.length || chosen.length === boxes.length) desk.complain(_("Tick the stretches that show another person, but not all of them."));
      else desk.record({ kind: "split", person: person.id, tracks: chosen }, _("Split off from %(name)s.", { name: person.name }));
    } }, el("p", {}, _("Tick the stretches that show another person:")), el("ul", { class: "tracks" }, ...boxes), el("button", { type: "submit", "data-focus": `split-${person.id}` }, _("Split off")));
  }
}

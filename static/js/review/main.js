// The review desk: player, timeline, lists and annotations of one analysis, and the current choice.

import { byId } from "../dom.js";
import { Drafts } from "../drafts.js";
import { timecode } from "../formats.js";
import { _ } from "../language.js";
import { clamp, lowerBound } from "../numbers.js";
import { Animations } from "./animation.js";
import { AnnotationPanel } from "./annotation_panel.js";
import { alreadySaid, current, flaggedOf } from "./annotations.js";
import { wireControls } from "./controls.js";
import { nearest, personName, prepare, reviewedPersons } from "./data.js";
import { Detail } from "./detail.js";
import { sampleOf } from "./explore.js";
import { FaceView } from "./face_view.js";
import { LaneList, lanesOf } from "./lanes.js";
import { PersonPanel } from "./persons.js";
import { leading } from "./pictures.js";
import { showFor } from "./playback.js";
import { Player } from "./player.js";
import { Inspector, SegmentList } from "./segments.js";
import { SoundLane } from "./sound_lane.js";
import { reviewer } from "./store.js";
import { Timeline } from "./timeline.js";
import { say } from "./toast.js";

/**
 * `data` are the machine's findings, `persons` its persons after the reviewers' changes, `lanes` the rows of the timeline, `annotations` all annotations, `current` the current ones.
 */
class Desk {
  constructor(raw, store, annotations, heatmaps) {
    this.store = store;
    this.data = prepare(raw);
    this.detail = raw.outline ? new Detail(this.data, (from, to) => this.#filled(from, to)) : null;
    this.segments = raw.segments;
    this.peaks = raw.segments.flatMap((segment) => segment.peaks);
    this.drafts = new Drafts(raw.analysis.id, store.author ?? "");
    this.chosen = null;
    this.recording = Promise.resolve(true); // the recording in progress
    this.explored = null;
    this.#take(annotations);
    const flagged = new Set(raw.segments.filter((segment) => segment.flagged).map((segment) => segment.person));
    this.animations = new Animations(this, heatmaps);
    const view = { persons: () => this.persons, flagged: () => flagged, peaks: () => this.peaks, moving: (time) => this.animations.at(time), rules: raw.rules };
    this.player = new Player(this.data, view, (time) => this.#moved(time));
    this.list = new SegmentList(this);
    this.inspector = new Inspector(this);
    this.personPanel = new PersonPanel(this);
    this.laneList = new LaneList(this);
    this.annotationPanel = new AnnotationPanel(this);
    this.face = this.data.still ? new FaceView(this) : null;
    if (!this.data.still) {
      this.timeline = new Timeline({
        lanes: () => this.lanes, cuts: raw.cuts, gaps: this.#gaps(raw), rules: raw.rules, duration: this.data.duration,
        onSeek: (time) => this.player.seek(time), onSelect: (id, lane) => { if (!lane.model) this.choose(id, false); },
        onShow: (from, to) => this.detail?.want(from, to),
        bare: raw.media.kind === "audio", onTime: (time) => this.sound?.setTime(time), onDraw: () => this.sound?.draw(),
      });
      if (raw.voice) this.sound = new SoundLane(this, raw.voice, this.timeline, this.player);
      byId("explore").value = raw.rules.enter;
      byId("explore-voice").value = this.sound?.enter ?? "";
      byId("explore-voices").hidden = !this.sound?.explores;
    }
    wireControls(this);
    this.drawAll();
    this.timeline?.fit();
    const named = window.location.hash.match(/^#segment-([A-Z]+\d+)$/);
    if (named && this.segments.some((one) => one.id === named[1])) this.choose(named[1], true);
    else if (this.segments.length) this.choose(this.segments[0].id, true, false);
    else if (this.sound?.segments.length) this.sound.choose(this.sound.segments[0].id, false);
    else this.player.seek(this.data.frames[0] ?? 0);
  }

  /** What was not examined, and where the sound goes on without picture. */
  #gaps({ gaps, media }) {
    const { duration } = this.data;
    return duration > media.duration ? [...gaps, { start: media.duration, end: duration, reason: _("no picture here, the sound goes on") }] : gaps;
  }

  #take(annotations) {
    this.annotations = annotations;
    this.current = current(annotations);
    this.persons = reviewedPersons(this.data, annotations);
    this.owners = new Map(this.segments.map((segment) => [segment.id, this.#owner(segment)]));
  }

  /** The person with most of a segment's samples, after merges and splits. */
  #owner(segment) {
    const machine = this.data.scores.get(segment.person);
    const counts = new Map();
    const { rules } = this.data.raw;
    let last = null;
    for (let i = lowerBound(machine.time, segment.start); i < machine.time.length && machine.time[i] <= segment.end; i += 1) {
      const sample = sampleOf(machine.time[i], rules);
      if (sample === last) continue; // a frame between two samples
      last = sample;
      const person = this.persons.find((one) => one.tracks.has(machine.track[i]));
      if (person) counts.set(person, (counts.get(person) ?? 0) + 1);
    }
    if (!counts.size && this.detail) { // between two scores of an outline
      const near = nearest(machine, (segment.start + segment.end) / 2, Infinity);
      return this.persons.find((one) => one.tracks.has(machine.track[near])) ?? null;
    }
    return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
  }

  personOf(segment) { return this.owners.get(segment.id); }
  nameOf(segment) { return this.personOf(segment)?.name ?? personName(segment.person); }
  annotationsOf(id) { return this.current.filter((one) => one.kind === "segment" && one.segment === id); }
  /** Whether a segment is flagged. */
  flags(id) { return [...this.segments, ...(this.sound?.segments ?? [])].find((one) => one.id === id)?.flagged ?? true; }
  /** How much of the subject of an annotation is flagged: "all", "part" or "nothing". */
  flagged(annotation) {
    if (annotation.kind === "span") return flaggedOf(annotation, this.segments.filter((one) => one.flagged));
    return this.flags(annotation.segment) ? "all" : "nothing";
  }
  author() { return this.store.author || reviewer.get(); }

  /** A stretch of a long analysis was loaded. Redraw if it is visible; update persons and counts after the last one. */
  #filled(from, to) {
    const { time } = this.player;
    const shows = !this.timeline || (from < this.timeline.to && to > this.timeline.from && this.timeline.to - this.timeline.from < this.data.duration / 2);
    if (!this.detail.complete && !shows && (time < from || time >= to)) return;
    this.#take(this.annotations);
    if (this.detail.complete) {
      byId("review").dataset.complete = "";
      this.personPanel.draw();
      this.list.draw();
    }
    this.drawLanes();
    this.player.draw();
  }

  // Drawing

  drawAll() {
    this.face?.draw();
    this.list.draw();
    this.inspector.draw();
    this.personPanel.draw();
    this.annotationPanel.draw();
    this.sound?.list();
    this.drawLanes();
    byId("rename-reviewer").hidden = Boolean(this.store.author);
    byId("reviewer-name").textContent = this.author() || _("No name set");
    if (this.store.offline) byId("save-annotations").disabled = !this.store.unsaved;
    this.player.draw();
  }

  drawLanes() {
    this.lanes = lanesOf(this);
    if (!this.timeline) return;
    this.laneList.draw();
    this.timeline.redraw();
  }

  #moved(time) {
    byId("now").textContent = timecode(time);
    if (this.detail && !this.detail.complete && !this.detail.has(time)) this.detail.want(time, time);
    this.timeline?.setTime(time);
  }

  // Acting

  choose(id, seek, scroll = true) {
    this.chosen = id;
    const segment = this.segments.find((one) => one.id === id);
    this.list.mark();
    this.inspector.draw();
    this.drawLanes();
    if (seek && !this.data.still) this.player.seek(leading(segment.peaks)?.time ?? segment.start);
    this.face?.choose(this.personOf(segment)?.id);
    if (scroll) this.tab("segments");
  }

  neighbour(direction) {
    if (!this.segments.length) {
      this.sound?.neighbour(direction);
      return;
    }
    const order = [...this.segments].sort((a, b) => a.start - b.start || (a.id < b.id ? -1 : 1));
    const now = order.findIndex((one) => one.id === this.chosen);
    this.choose(order[clamp(now + direction, 0, order.length - 1)].id, true);
  }

  async judgeSegment(verdict) {
    const chosen = this.chosen ?? this.sound?.chosen ?? null;
    if (!chosen && !this.store.silent) { // choose a segment if there is any
      this.tab("annotations");
      this.complain(_("Nothing is flagged that you could judge by itself. Judge the whole exhibit under “Annotations”."));
      return;
    }
    const segment = chosen;
    const note = (this.drafts.get(segment) ?? "").trim();
    const flagged = this.flags(segment);
    const words = {
      agree: flagged ? _("You agree with %(segment)s.", { segment }) : _("Recorded: %(segment)s shows manipulation.", { segment }),
      disagree: flagged ? _("You disagree with %(segment)s.", { segment }) : _("Recorded: %(segment)s shows no manipulation.", { segment }),
      unsure: _("You are unsure about %(segment)s.", { segment }),
    }[verdict];
    if (await this.record({ kind: "segment", segment, verdict, note }, words)) {
      this.drafts.delete(segment);
      this.inspector.draw();
    }
  }

  withdraw(annotation) { return this.record({ kind: "withdrawal", about: annotation.id }, _("Withdrawn; it stays in the history.")); }

  /**
   * Add one annotation after those before it are recorded, so that a second press sees the result of the first.
   * Asks for a name if there is none yet. Returns whether it was recorded.
   */
  record(annotation, words) {
    this.recording = this.recording.then(() => this.#record(annotation, words));
    return this.recording;
  }

  async #record(annotation, words) {
    if (this.store.silent) {
      this.complain(this.store.silent);
      return false;
    }
    const author = this.author() || await this.askName();
    if (!author) return false;
    if (annotation.kind === "withdrawal" && !this.current.some((one) => one.id === annotation.about)) return true;
    try {
      this.#take(await this.store.load()); // somebody else, or another tab, may have added annotations
      let made = alreadySaid({ author, ...annotation }, this.current);
      if (!made) {
        const before = new Set(this.annotations.map((one) => one.id));
        this.#take(await this.store.add({ author, ...annotation }));
        made = this.annotations.find((one) => !before.has(one.id));
      }
      this.drawAll();
      say(words, made && annotation.kind !== "withdrawal" ? { label: _("Undo"), run: () => this.withdraw(made) } : null);
      return true;
    } catch (problem) {
      this.drafts.keep(); // signing out elsewhere clears the browser's storage
      this.complain(problem.message);
      return false;
    }
  }

  complain(text) {
    byId("complaint-words").textContent = text;
    byId("complaint").showModal();
  }

  askName() {
    const dialog = byId("who");
    byId("who-name").value = this.author();
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((settle) => {
      dialog.addEventListener("close", () => {
        const name = byId("who-name").value.trim();
        if (dialog.returnValue === "ok" && name) reviewer.set(name);
        this.drawAll();
        settle(dialog.returnValue === "ok" ? name : "");
      }, { once: true });
    });
  }

  tab(name) {
    for (const button of document.querySelectorAll("[role=tab]")) {
      const chosen = button.id === `tab-${name}`;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      byId(button.getAttribute("aria-controls")).hidden = !chosen;
    }
  }

  /** Show the faces' segments at another threshold; null: none. */
  explore(value) {
    this.explored = value;
    byId("explore").value = value ?? this.data.raw.rules.enter;
    this.drawLanes();
  }

  /** Show the voices' segments at another threshold; null: none. */
  exploreVoice(value) {
    this.sound.explore(value);
    byId("explore-voice").value = value ?? this.sound.enter;
    this.drawLanes();
  }
}

/** Start the desk. `raw` is the document of the API's `desk`; `heatmaps` begins the addresses of animated heatmaps, if there are any. */
export async function open(raw, store, heatmaps = null) {
  const root = byId("review");
  const annotations = await store.load();
  root.hidden = false;
  document.documentElement.classList.add("reviewing");
  for (const name of ["segment-back", "segment-on"]) byId(name).disabled = !raw.segments.length && !raw.voice?.segments.length;
  showFor(raw.media.kind);
  root.desk = new Desk(raw, store, annotations, heatmaps); // for tests and the browser's console
  return root.desk;
}

// The list of segments, and the chosen one: peak frames, results of hiding areas, and annotations.

import { byId, el, icon } from "../dom.js";
import { _ } from "../language.js";
import { annotationWords, byline } from "./annotations.js";
import { keepFocus } from "./focus.js";
import { closeUp, enlarge, hideBar, leading } from "./pictures.js";

function opinions(desk, segment) {
  const annotations = desk.annotationsOf(segment.id);
  const marks = annotations.map((one) => annotationWords(one, String, segment.flagged ? "all" : "nothing"));
  return marks.map((mark, i) => el("span", { class: `mark mark-${mark.mark}`, title: `${byline(annotations[i])}: ${mark.verdict}` },
    icon(mark.mark), el("span", {}, `${mark.verdict} `, el("small", {}, byline(annotations[i])))));
}

export class SegmentList {
  constructor(desk) {
    this.desk = desk;
    this.rows = new Map();
  }

  draw() {
    const { desk } = this;
    const list = byId("segment-list");
    if (!desk.segments.length) {
      list.replaceChildren(el("li", { class: "nothing" }, el("p", {}, el("strong", {}, desk.data.raw.voice ? _("No face was flagged.") : _("Nothing was flagged."))),
        el("p", {}, desk.data.raw.words.meaning)));
      return;
    }
    keepFocus(list, () => list.replaceChildren(...desk.segments.map((segment) => this.#row(segment))));
    this.mark();
  }

  #row(segment) {
    const peak = leading(segment.peaks);
    const button = el("button", { type: "button", class: "segment-row", "data-segment": segment.id, "data-focus": `row-${segment.id}`, onclick: () => this.desk.choose(segment.id, true) },
      el("span", { class: "segment-thumb" }, peak ? closeUp(peak, "overlay", this.desk.data.raw.media, "", true) : icon("none")),
      el("span", { class: "segment-words" },
        el("span", { class: "segment-top" }, el("strong", !segment.flagged ? { class: "muted" } : {}, segment.id), ` ${this.desk.nameOf(segment)}`),
        this.desk.data.still ? null : el("span", { class: "time" }, `${segment.from} – ${segment.to}`),
        el("span", {}, _("Score %(score)s, %(strength)s", { score: segment.confidence_words, strength: segment.strength })),
        el("span", { class: "marks" }, ...opinions(this.desk, segment))));
    this.rows.set(segment.id, button);
    return el("li", {}, button);
  }

  mark() {
    for (const [id, row] of this.rows) {
      const chosen = id === this.desk.chosen;
      row.toggleAttribute("data-chosen", chosen);
      if (chosen) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    // Only the list scrolls, not the page.
    const row = this.rows.get(this.desk.chosen);
    const list = byId("segment-list");
    if (row && (row.offsetTop < list.scrollTop || row.offsetTop + row.offsetHeight > list.scrollTop + list.clientHeight)) {
      list.scrollTop = row.offsetTop - list.clientHeight / 3;
    }
  }
}

export class Inspector {
  constructor(desk) {
    this.desk = desk;
    this.near = true;
    this.place = byId("inspector");
  }

  draw() { keepFocus(this.place, () => this.#draw()); }

  #draw() {
    const { desk, place } = this;
    const segment = desk.segments.find((one) => one.id === desk.chosen);
    place.hidden = !segment;
    if (!segment) return;
    const whole = el("button", { type: "button", "aria-pressed": String(!this.near), onclick: () => { this.near = !this.near; this.draw(); byId("whole-frames").focus(); }, id: "whole-frames" }, desk.data.still ? _("Whole photo") : _("Whole frames"));
    place.replaceChildren(...[
      el("div", { class: "heading-row" },
        el("h2", { id: "inspector-title" }, !segment.flagged
          ? _("Looked at, not flagged: %(segment)s, %(name)s", { segment: segment.id, name: desk.nameOf(segment) })
          : desk.data.still ? _("Flagged face %(segment)s, %(name)s", { segment: segment.id, name: desk.nameOf(segment) })
          : _("Segment %(segment)s, %(name)s", { segment: segment.id, name: desk.nameOf(segment) })),
        el("div", { class: "inspector-tools" }, byId("heat-legend").content.cloneNode(true), whole)),
      el("p", { class: "muted" },
        desk.data.still ? _("One face of the photo.") : _("%(from)s to %(to)s, %(length)s long, %(scored)s.", segment), " ",
        _("Score %(score)s: %(strength)s.", { score: segment.confidence_words, strength: segment.strength }), " ",
        el("span", {}, segment.meaning)),
      this.#judge(segment),
      this.#strip(segment),
      desk.animations.of(segment) ?? "",
      segment.peaks.some((peak) => peak.check.length) && el("p", { class: "muted" },
        _("The strength of a heatmap compares it with the strongest one of the analysis; it is not its score."), " ",
        _("Bars: how far the logit falls. Dashed line: the least fall of a confirmed heatmap.")),
      el("div", { class: "peaks" }, ...segment.peaks.map((peak) => this.#peak(segment, peak))),
    ].filter(Boolean));
    if (!segment.peaks.length) place.append(el("p", { class: "muted" }, desk.data.raw.unexplained || _("No peak frame of this segment could be read again.")));
  }

  /** Faces from just before the segment to just after its end, each a way to its frame. */
  #strip(segment) {
    if (!segment.strip?.length) return "";
    return el("div", { class: "film-strip", role: "group", "aria-label": _("Film strip of %(segment)s", { segment: segment.id }) },
      ...segment.strip.map((face) => el("figure", { class: face.inside ? "inside" : "outside" },
        el("button", { type: "button", class: "quiet", title: _("Go to this frame"), onclick: () => this.desk.player.seek(face.time) },
          el("img", { src: face.frame, alt: _("Face at %(time)s", { time: face.at }) })),
        el("figcaption", {}, el("span", { class: "time" }, face.at), " ", el("strong", { class: "number" }, face.score)))));
  }

  /** The same person at a calm moment, beside the first peak. */
  #calm({ calm, peaks }, peak) {
    if (!calm || peak !== peaks[0]) return null;
    const alt = _("The same person at a calm moment, %(time)s", { time: calm.at });
    return el("figure", { class: "calm" },
      this.near ? closeUp(calm, "frame", this.desk.data.raw.media, alt) : el("img", { src: calm.frame, alt }),
      el("figcaption", {}, _("Calm moment %(time)s, score %(score)s", { time: calm.at, score: calm.score })));
  }

  #judge(segment) {
    const { desk } = this;
    const note = el("textarea", { rows: 2, maxlength: 4000, id: "segment-note", placeholder: _("What you saw, for the report (optional)") });
    note.value = desk.drafts.get(segment.id) ?? "";
    note.addEventListener("input", () => desk.drafts.set(segment.id, note.value));
    const press = (verdict, words, key) => el("button", { type: "button", class: `judge judge-${verdict}`, "data-verdict": verdict, "data-focus": `judge-${verdict}`, "aria-keyshortcuts": key, onclick: () => desk.judgeSegment(verdict) },
      icon(verdict), words, el("kbd", { "aria-hidden": "true" }, key));
    return el("div", { class: "judging", role: "group", "aria-label": _("Your annotation of segment %(segment)s", { segment: segment.id }) },
      segment.flagged ? null : el("p", {}, desk.data.still ? _("Does this face show manipulation?") : _("Does this stretch show manipulation?")),
      el("div", { class: "judge-buttons" },
        press("agree", segment.flagged ? _("Agree") : _("It does"), "A"),
        press("disagree", segment.flagged ? _("Disagree") : _("It does not"), "D"),
        press("unsure", _("Unsure"), "U")),
      el("label", { for: "segment-note" }, _("Note")), note,
      el("div", { class: "marks" }, ...opinions(desk, segment)));
  }

  #peak(segment, peak) {
    const { desk } = this;
    const { media } = desk.data.raw;
    const which = { number: peak.number, segment: segment.id, time: peak.at };
    const words = desk.data.still
      ? _("peak %(number)s of %(segment)s", which)
      : _("peak %(number)s of %(segment)s at %(time)s", which);
    const figure = (kind, caption, alt) => {
      const address = peak[kind];
      if (!address) return el("figure", {}, el("p", { class: "no-picture" }, _("This picture was not kept.")), el("figcaption", {}, caption));
      const picture = this.near ? closeUp(peak, kind, media, alt) : el("img", { src: address, alt });
      const open = (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        enlarge(segment.peaks, peak, media, event.currentTarget);
      };
      return el("figure", {}, el("a", { class: "enlarge", href: address, target: "_blank", rel: "noopener", title: _("Enlarge"), "aria-label": _("Enlarge: %(picture)s", { picture: alt }), onclick: open }, picture), el("figcaption", {}, caption));
    };
    return el("article", { class: "peak" },
      el("div", { class: "peak-head" },
        el("h3", {}, desk.data.still ? _("This face") : _("Peak frame %(number)s", { number: peak.number })),
        desk.data.still ? null : el("button", { type: "button", class: "time quiet", title: _("Go to this frame"), onclick: () => desk.player.seek(peak.time) }, peak.at),
        el("span", {}, _("Score"), " ", el("strong", { class: "number" }, peak.score)),
        el("span", { class: `check ${peak.confirmed ? "check-confirmed" : "check-unconfirmed"}` }, icon(peak.confirmed ? "confirmed" : "unconfirmed"), peak.confirmed ? _("Heatmap confirmed") : _("Heatmap not confirmed"))),
      el("div", { class: `peak-three${this.near ? " near" : ""}${segment.calm && peak === segment.peaks[0] ? " with-calm" : ""}` },
        figure("frame", _("Original"), _("Original, %(peak)s", { peak: words })),
        figure("overlay", _("With heatmap, strength %(heat)s of 1", { heat: peak.heat }), _("With heatmap, %(peak)s", { peak: words })),
        figure("map", _("Heatmap alone"), _("Heatmap alone, %(peak)s", { peak: words })),
        this.#calm(segment, peak)),
      el("p", { class: "peak-effect" }, peak.effect),
      this.#hidden(peak));
  }

  #hidden(peak) {
    if (!peak.check.length) return "";
    return el("table", { class: "plain compact hide-table" },
      el("caption", {}, _("Hide and score again")),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, _("Hidden")), el("th", { scope: "col", colspan: 2 }, _("Change of logit")), el("th", { scope: "col", class: "number" }, _("Score then")))),
      el("tbody", {}, ...peak.check.map(([what, score, change], row) => el("tr", {}, el("th", { scope: "row" }, what), el("td", {}, hideBar(peak.bars, row)), el("td", { class: "number" }, change), el("td", { class: "number" }, score)))));
  }
}

// The panel of annotations: the whole exhibit, marked spans, and the history.

import { byId, el, icon } from "../dom.js";
import { moment, timecode } from "../formats.js";
import { _ } from "../language.js";
import { annotationWords, byline, mayWithdraw, verified, withdrawals } from "./annotations.js";
import { keepFocus } from "./focus.js";
import { say } from "./toast.js";

/** HH:MM:SS.mmm, MM:SS or seconds, as a number; NaN where it is none of these. */
export function seconds(text) {
  const parts = text.trim().split(":").map((part) => (part === "" ? NaN : Number(part)));
  if (!parts.length || parts.length > 3 || parts.some((part) => !Number.isFinite(part) || part < 0)) return NaN;
  return Math.round(1000 * parts.reduce((sum, part) => 60 * sum + part, 0)) / 1000;
}

export class AnnotationPanel {
  constructor(desk) {
    this.desk = desk;
    this.mark = { start: null, end: null };
    this.#exhibit();
    if (!desk.data.still) this.#span();
    byId("span-form").hidden = desk.data.still;
  }

  draw() {
    this.#persons();
    const { annotations, current } = this.desk;
    const inForce = new Set(current.map((one) => one.id));
    const gone = withdrawals(annotations);
    // A withdrawal is shown with the annotation it withdrew; an imported one without effect is shown by itself.
    const rows = [...annotations].reverse()
      .filter((one) => one.kind !== "withdrawal" || (!verified(one) && gone.get(one.about) !== one));
    const history = byId("history");
    keepFocus(history, () => history.replaceChildren(...rows.map((one) => this.#entry(one, inForce.has(one.id), gone.get(one.id)))));
    byId("history-none").hidden = rows.length > 0;
    byId("annotation-count").textContent = String(current.length);
    const mine = current.find((one) => one.kind === "exhibit" && verified(one) && one.author === this.desk.author());
    for (const button of byId("exhibit-buttons").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(mine?.verdict === button.dataset.verdict));
    }
  }

  #entry(annotation, isCurrent, withdrawn) {
    const { about, verdict, mark } = annotationWords(annotation, timecode, this.desk.flagged(annotation));
    const { desk } = this;
    const withoutEffect = annotation.kind === "withdrawal" ? _("without effect, since not verified") : _("replaced by a later one");
    const state = isCurrent ? null : el("span", { class: "tag" }, withdrawn ? _("withdrawn %(when)s", { when: moment(withdrawn.made) }) : withoutEffect);
    const own = isCurrent && !desk.store.silent && mayWithdraw({ author: desk.author() }, annotation);
    return el("li", { class: isCurrent ? "" : "past", "data-annotation": annotation.id },
      el("p", {}, el("span", { class: `mark mark-${mark}` }, icon(mark), el("strong", {}, verdict)), " ",
        annotation.kind === "span" ? el("button", { type: "button", class: "quiet time", "data-focus": `about-${annotation.id}`, onclick: () => desk.player.seek(annotation.start) }, about)
          : annotation.kind === "segment" ? el("button", { type: "button", class: "quiet", "data-focus": `about-${annotation.id}`, onclick: () => desk.choose(annotation.segment, true) }, about) : el("span", {}, about), " ", state),
      annotation.note ? el("p", { class: "said-note" }, annotation.note) : null,
      el("p", { class: "muted" }, `${byline(annotation)}, ${moment(annotation.made)} `,
        own ? el("button", { type: "button", class: "quiet", "data-focus": `withdraw-${annotation.id}`, onclick: () => desk.withdraw(annotation) }, _("Withdraw")) : null));
  }

  #exhibit() {
    for (const button of byId("exhibit-buttons").querySelectorAll("button")) {
      button.addEventListener("click", async () => {
        const note = byId("exhibit-note");
        const done = await this.desk.record({ kind: "exhibit", verdict: button.dataset.verdict, note: note.value.trim() }, _("Recorded for the whole exhibit."));
        if (!done) return;
        note.value = "";
        this.desk.drafts.delete(note.id);
      });
    }
    this.desk.drafts.keepField(byId("exhibit-note"));
  }

  #persons() {
    const choice = byId("span-person");
    const before = choice.value;
    choice.replaceChildren(el("option", { value: "" }, _("No one")),
      ...this.desk.persons.map(({ id, name }) => el("option", { value: id }, name)));
    choice.value = this.desk.persons.some(({ id }) => id === before) ? before : "";
  }

  #span() {
    this.desk.drafts.keepField(byId("span-note"));
    byId("span-in").addEventListener("click", () => this.markAt("start"));
    byId("span-out").addEventListener("click", () => this.markAt("end"));
    byId("span-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const start = seconds(byId("span-start").value);
      const end = seconds(byId("span-end").value);
      if (Number.isNaN(start) || Number.isNaN(end)) {
        this.desk.complain(_("Write times as HH:MM:SS.mmm, or press I and O while the video shows the start and the end."));
        return;
      }
      if (end <= start) {
        this.desk.complain(end < start ? _("The stretch ends before it starts.") : _("The stretch has no length. Choose a later end."));
        return;
      }
      const verdict = new FormData(byId("span-form")).get("span-verdict");
      const annotation = { kind: "span", start, end, verdict, note: byId("span-note").value.trim() };
      if (byId("span-person").value) annotation.person = byId("span-person").value;
      if (await this.desk.record(annotation, _("The stretch is marked."))) {
        byId("span-form").reset();
        this.desk.drafts.delete("span-note");
        this.mark = { start: null, end: null };
        this.desk.drawLanes();
      }
    });
  }

  /** I and O: set the start or end of the marked stretch to the current moment. */
  markAt(edge) {
    if (this.desk.data.still) return;
    const time = Math.round(this.desk.player.time * 1000) / 1000;
    this.mark[edge] = time;
    byId(`span-${edge}`).value = timecode(time);
    if (edge === "start" && this.mark.end !== null && this.mark.end < time) {
      this.mark.end = null;
      byId("span-end").value = "";
    }
    const words = { time: timecode(time) };
    say(edge === "start" ? _("Start of your stretch: %(time)s", words) : _("End of your stretch: %(time)s", words));
    this.desk.tab("annotations");
    this.desk.drawLanes();
  }
}

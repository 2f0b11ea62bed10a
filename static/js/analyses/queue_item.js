// One file of a batch: its row, from waiting for the upload to the verdict. Buttons report the wanted act to the
// batch.
import { byId } from "../dom.js";
import { capitalized, day, fileSize, printable, probability } from "../formats.js";
import { _, ngettext, percentDone } from "../language.js";

/** The outcome of a file as part of a sentence, by outcome or state. */
export const OUTCOMES = {
  faces: _("manipulated"),
  voices: _("synthetic voice"),
  open: _("inconclusive"),
  "nothing found": _("nothing found"),
  failed: _("failed"),
  cancelled: _("cancelled"),
  refused: _("rejected"),
  lost: _("not sent"),
  unfit: _("rejected"),
  stopped: _("not sent"),
};
// Text of each state, whether its bar moves (null: no bar), and the possible acts.
const STATES = {
  unfit: { words: () => _("Cannot be accepted"), bar: null, acts: ["remove"] },
  waiting: { words: () => _("Not sent yet"), bar: null, acts: ["remove"] },
  sending: { words: ({ share }) => _("Uploading, %(share)s", { share: percentDone(share) }), bar: (item) => item.share, acts: ["stop"] },
  storing: { words: () => _("Checking and storing the file"), bar: () => undefined, acts: [] },
  delayed: { words: () => _("Not sent yet: many files in a short time, so the next one waits a moment"), bar: null, acts: ["remove"] },
  stopped: { words: () => _("Upload cancelled"), bar: null, acts: ["retry", "remove"] },
  refused: { words: () => _("Rejected"), bar: null, acts: ["retry", "remove"] },
  lost: { words: () => _("Not sent"), bar: null, acts: ["choose", "remove"] },
  queued: {
    words: ({ status }) => (status?.ahead ? _("Queued, %(count)s ahead", { count: status.ahead }) : _("Queued")),
    bar: null,
    acts: ["cancel"],
  },
  running: {
    words: ({ status }) => `${capitalized(status.stage)}, ${percentDone(status.progress)}`,
    bar: ({ status }) => status.progress,
    acts: ["cancel"],
  },
  explaining: {
    words: ({ status }) => _("%(finding)s. Pictures follow, %(share)s", { finding: status.headline, share: percentDone(status.progress) }),
    bar: ({ status }) => status.progress,
    acts: ["cancel"],
  },
  paused: { words: () => _("Paused"), bar: null, acts: ["resume", "cancel"] },
  done: { words: ({ status }) => status.headline, bar: null, acts: ["delete"] },
  failed: { words: () => _("Failed"), bar: null, acts: ["retry", "delete"] },
  cancelled: { words: () => _("Cancelled"), bar: null, acts: ["retry", "delete"] },
};
const NAMES = {
  stop: _("Cancel"), cancel: _("Cancel"), retry: _("Retry"), resume: _("Resume"), remove: _("Remove"), delete: _("Delete…"),
  choose: _("Choose again…"),
};
const cancel = (file) => _("Cancel %(file)s", { file });
const LABELS = { // for screen readers: which file as well
  stop: cancel,
  cancel,
  retry: (file) => _("Retry %(file)s", { file }),
  resume: (file) => _("Resume %(file)s", { file }),
  remove: (file) => _("Remove %(file)s", { file }),
  delete: (file) => _("Delete %(file)s", { file }),
  choose: (file) => _("Choose %(file)s again", { file }),
};

export class Item {
  /**
   * @param {File} file
   * @param {Function} wants called with this item and the name of an act, when its button is pressed
   */
  constructor(file, wants) {
    this.state = "waiting";
    this.share = 0;
    this.problem = null; // error and remedy
    this.unfit = false; // whether the server refused it for what it is, and would again
    this.id = null; // of its analysis
    this.known = null; // how many earlier analyses the same bytes have, and when the first was made
    this.status = null; // what the server last said of that
    this.row = byId("queue-item").content.firstElementChild.cloneNode(true);
    this.row.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-act]");
      if (button) wants(this, button.dataset.act, button);
    });
    this.choose(file);
  }

  /** Make this the file of the row. */
  choose(file) {
    this.file = file;
    this.name = printable(file.name); // as it is shown
    this.part("name").textContent = this.name;
    this.part("name").title = this.name;
    this.part("size").textContent = fileSize(file.size);
  }

  /** The address of the analysis's page; null before there is one. */
  get address() {
    return this.id && `${window.location.origin}/analyses/${this.id}`;
  }

  /** The same page, which lists the earlier analyses. */
  get knownAddress() {
    return `${this.address}?known=${this.known.count}`;
  }

  part(name) {
    return this.row.querySelector(`[data-part="${name}"]`);
  }

  /** Whether the file is not on the server yet and is lost when the page is left. */
  get unsent() {
    return ["waiting", "delayed", "sending", "storing"].includes(this.state);
  }

  /** Whether nothing more happens without the user. */
  get ended() {
    return !this.unsent && !["queued", "running", "explaining", "paused"].includes(this.state);
  }

  /** Whether the finding stands, with or without its pictures. */
  get concluded() {
    return this.state === "done" || this.state === "explaining";
  }

  /** The outcome, for the summary and for screen readers. */
  get outcome() {
    return this.concluded ? this.status.outcome : this.state;
  }

  /** What the icon stands for: the outcome, of a finding its strength. */
  get mark() {
    if (this.outcome !== "finding") return this.outcome;
    const { strength, voice } = this.status;
    return ["strong", "moderate", "weak"].find((each) => [strength, voice?.strength].includes(each)) ?? "moderate";
  }

  /** The outcomes that totals count; a finding counts on faces, on voices or on both. */
  get outcomes() {
    if (this.outcome !== "finding") return [this.outcome];
    const { verdict, voice } = this.status;
    const faces = !voice?.only && verdict === "manipulated";
    return [...(faces ? ["faces"] : []), ...(voice?.verdict === "synthetic speech found" ? ["voices"] : [])];
  }

  /** Whether the same file would be refused or fail again: errors of the engine have no remedy. */
  get unreadable() {
    return this.state === "refused" ? this.unfit : this.state === "failed" && this.status?.remedy === "";
  }

  /** Change something and redraw the row. */
  set(changes) {
    Object.assign(this, changes);
    this.draw();
  }

  draw() {
    const look = STATES[this.state];
    this.row.dataset.state = this.state;
    const words = this.part("words");
    const icon = document.querySelector(`template[data-outcome="${this.mark}"]`);
    words.className = icon ? icon.dataset.class : "";
    const text = look.words(this);
    words.replaceChildren(...(icon ? [icon.content.cloneNode(true)] : []), text);
    const figure = this.part("figure");
    const figures = this.concluded ? [this.status.probability, this.status.voice?.probability] : [];
    const [faces, voices] = figures.map((value) => (typeof value === "number" ? probability(value) : null));
    figure.hidden = !faces && !voices;
    if (faces && voices) figure.textContent = _("score %(faces)s, voice %(voices)s", { faces, voices });
    else if (!figure.hidden) figure.textContent = _("score %(score)s", { score: faces ?? voices });
    const bar = this.part("bar");
    bar.hidden = look.bar === null;
    const value = look.bar?.(this);
    if (value === undefined) bar.removeAttribute("value");
    else bar.value = value;
    const [error, remedy] = this.problem ?? ["", ""];
    this.part("problem").hidden = !error;
    this.part("problem").textContent = `${error} ${remedy}`.trim();
    this.part("known").hidden = !this.known;
    if (this.known) {
      const { count, first } = this.known;
      this.part("known-words").textContent = ngettext(
        "This file was uploaded before, on %(since)s; %(num)s earlier analysis.",
        "This file was uploaded before, on %(since)s; %(num)s earlier analyses.",
        count, { since: day(first) },
      );
      this.part("known-link").href = this.knownAddress;
    }
    const open = this.part("open");
    open.hidden = !this.address;
    if (this.address) open.href = this.address;
    open.setAttribute("aria-label", _("Open %(file)s", { file: this.name }));
    this.drawActs(look.acts.filter((act) => act !== "retry" || !this.unreadable));
  }

  drawActs(acts) {
    const place = this.part("acts");
    const shown = [...place.children].map((button) => button.dataset.act);
    if (shown.join() === acts.join()) return; // a button keeps its focus while figures change
    const focused = place.contains(document.activeElement);
    place.replaceChildren(...acts.map((act) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.act = act;
      button.textContent = NAMES[act];
      button.setAttribute("aria-label", LABELS[act](this.name));
      return button;
    }));
    if (focused) (place.firstElementChild ?? this.part("open")).focus();
  }
}

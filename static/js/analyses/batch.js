// A queue of files: sends one after the other and follows each analysis to its end. A file that is refused
// does not stop the others; only a broken connection does, because it would break the next upload as well.
import { askToDelete } from "./deleting.js";
import { byId } from "../dom.js";
import { follow } from "./follow.js";
import { _, ngettext } from "../language.js";
import { Item, OUTCOMES } from "./queue_item.js";
import { analysisAddress, send } from "../requests.js";
import { FOLDER, unfit, unreadable, upload } from "./sending.js";

const FOLLOWED = 3; // at a time; analyses are worked off in order, so the others have no news

export class Batch {
  /**
   * @param {{list: HTMLElement, limits: {limit: number, room: number}, form: HTMLFormElement,
   *   onChange: Function, onAlone: Function, announce: Function}} around
   *   onChange is called after every change; onAlone with the analysis's address if the only file was accepted;
   *   announce with words for screen readers
   */
  constructor(around) {
    this.around = around;
    this.items = [];
    this.sending = false;
    this.followed = new Map(); // item to what stops following it
    this.stop = null;
  }

  get waiting() {
    return this.items.filter((item) => item.state === "waiting");
  }

  get unsent() {
    return this.items.some((item) => item.unsent);
  }

  /** Add files to the queue; those in `folders` are none. */
  add(files, folders = new Set()) {
    const wants = (item, act, button) => this.act(item, act, button);
    const added = [...files].map((file) => {
      const item = new Item(file, wants);
      const problem = folders.has(file) ? FOLDER : this.unfit(file);
      item.set(problem ? { state: "unfit", problem } : {});
      this.around.list.append(item.row);
      return item;
    });
    this.items.push(...added);
    const bad = added.filter((item) => item.problem);
    this.around.announce([
      ngettext("%(num)s file chosen.", "%(num)s files chosen.", this.items.length),
      ...bad.slice(0, 3).map((item) => `${item.name}: ${item.problem[0]}`),
    ].join(" "));
    this.around.onChange();
  }

  unfit(file) {
    const { limit, room } = this.around.limits;
    return unfit(file, limit, room);
  }

  /** Send the waiting files, one at a time. */
  async start() {
    if (this.sending) return;
    const [item] = this.waiting;
    if (!item) {
      if (this.items.length > 1) this.around.announce(_("All files have been sent."));
      return;
    }
    this.sending = true;
    item.set({ state: "sending", share: 0, problem: null });
    this.around.onChange();
    const problem = await unreadable(item.file);
    if (problem) this.lose(item, problem);
    else this.send(item);
  }

  /** The fields of the API for one file, as the form states them. */
  body(file) {
    const form = new FormData(this.around.form);
    const body = new FormData();
    for (const name of ["model", "joint", "case", "priority"]) if (form.get(name)) body.set(name, form.get(name));
    if (form.has("also")) body.set("also", JSON.stringify(form.getAll("also")));
    body.set("parameters", JSON.stringify({ sound: form.get("sound") === "yes" }));
    const details = [...byId("case-details").querySelectorAll("[name]")].map(({ name }) => [name, form.get(name)]);
    body.set("details", JSON.stringify(Object.fromEntries(details)));
    body.set("file", file, file.name);
    return body;
  }

  send(item) {
    const refused = (problem, onwards, isUnfit = false) => {
      this.around.announce(`${item.name}: ${problem[0]}`);
      this.sent(item, { state: "refused", problem, unfit: isUnfit }, onwards);
    };
    this.stop = upload(this.around.form.dataset.analyses, this.body(item.file), {
      onShare: (share) => item.set({ share }),
      onSent: () => item.set({ state: "storing" }), // the server may have it all: cancelling would not stop it
      onTaken: (status) => this.taken(item, status),
      onRefused: (...problem) => refused(problem, true),
      onUnfit: (...problem) => refused(problem, true, true),
      onBroken: async (...problem) => {
        const lost = await unreadable(item.file); // the browser breaks the connection off if the file changes
        if (lost) this.lose(item, lost);
        else refused(problem, false);
      },
      onStopped: () => this.sent(item, { state: "stopped" }),
      onTooOften: (seconds) => this.delay(item, seconds),
    });
  }

  /** The browser cannot read the file any more, and could not if asked again: it must be chosen anew. */
  lose(item, problem) {
    this.around.announce(`${item.name}: ${problem[0]}`);
    this.sent(item, { state: "lost", problem });
  }

  /** One upload has ended; start the next, unless it would fail as well. */
  sent(item, changes, onwards = true) {
    this.sending = false;
    this.stop = null;
    this.change(item, changes);
    if (onwards) this.start();
  }

  /** The server has queued the file and returned its analysis; it also tells whether the file is known already. */
  taken(item, { id, earlier }) {
    this.sent(item, { state: "queued", id, known: earlier, status: null });
    if (this.items.length === 1) this.around.onAlone(earlier ? item.knownAddress : item.address);
    else this.watch();
  }

  /** Send the file again after a while; the files behind it wait as well. */
  delay(item, seconds) {
    this.stop = null;
    this.change(item, { state: "delayed" });
    setTimeout(() => {
      this.sending = false;
      if (item.state === "delayed") this.change(item, { state: "waiting" });
      this.start();
    }, seconds * 1000);
  }

  change(item, changes) {
    item.set(changes);
    this.around.onChange();
  }

  /** Follow the first few unfinished analyses. */
  watch() {
    const busy = this.items.filter((item) => item.address && !item.ended && !this.followed.has(item));
    const active = [...this.followed.keys()].filter((item) => item.state !== "paused").length;
    for (const item of busy.slice(0, Math.max(0, FOLLOWED - active))) {
      this.followed.set(item, follow(analysisAddress(item.id), {
        onStatus: (status) => item.set({ state: status.state, status }),
        onPause: (status) => this.pause(item, status),
        onEnd: (status) => this.end(item, status),
        onGone: () => this.drop(item),
      }));
    }
  }

  /** Stop following this analysis, and follow the next ones. */
  leave(item) {
    this.followed.get(item)?.();
    this.followed.delete(item);
    this.watch();
  }

  /** A paused analysis is still followed, because it may be resumed elsewhere, but blocks no other. */
  pause(item, status) {
    if (item.state === "paused") return;
    this.change(item, { state: "paused", status });
    this.watch();
  }

  end(item, status) {
    const problem = status.state === "failed" ? [status.error, status.remedy] : null;
    this.change(item, { state: status.state, status, problem });
    this.leave(item);
    if (this.items.length > 1 && this.items.every((each) => each.ended)) {
      this.around.announce(_("All files are done: %(outcomes)s.", { outcomes: this.outcomes() }));
    }
  }

  /** Summarise the outcomes. */
  outcomes() {
    const counts = new Map();
    for (const name of this.items.filter((each) => each.ended).flatMap((each) => each.outcomes)) {
      counts.set(OUTCOMES[name], (counts.get(OUTCOMES[name]) ?? 0) + 1);
    }
    return [...counts].map(([name, count]) => `${count} ${name}`).join(", ");
  }

  async act(item, act, button) {
    try {
      if (act === "stop") this.stop?.();
      else if (act === "remove") this.drop(item);
      else if (act === "choose") this.chooseAgain(item);
      else if (act === "cancel") await this.cancel(item);
      else if (act === "delete") await this.erase(item, button);
      else if (item.address) await this.again(item, act);
      else {
        this.change(item, { state: "waiting", problem: null });
        this.start();
      }
    } catch (problem) {
      this.change(item, { problem: [problem.message, ""] });
    }
  }

  /** Have the file of a row chosen again, and send it. */
  chooseAgain(item) {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = byId("file").accept;
    input.addEventListener("change", () => {
      const [file] = input.files;
      const problem = this.unfit(file);
      item.choose(file);
      this.change(item, { state: problem ? "unfit" : "waiting", problem });
      this.start();
    });
    input.click();
  }

  async cancel(item) {
    this.end(item, await send(`${analysisAddress(item.id)}/cancel`));
  }

  /** Retry or resume an analysis. */
  async again(item, act) {
    const status = await send(`${analysisAddress(item.id)}/${act}`);
    this.change(item, { state: status.state, status, problem: null });
    this.leave(item); // and follow it anew, since a paused one is rarely asked about
  }

  async erase(item, button) {
    if (await askToDelete(item.id, button)) this.drop(item);
  }

  /** Remove a row from the list; the focus moves to its neighbour. */
  drop(item) {
    const place = this.items.indexOf(item);
    this.items.splice(place, 1);
    const neighbour = this.items[Math.min(place, this.items.length - 1)];
    const focused = item.row.contains(document.activeElement) || document.activeElement === document.body;
    item.row.remove();
    this.leave(item);
    if (focused) (neighbour?.row.querySelector("button, a:not([hidden])") ?? byId("file")).focus();
    this.around.onChange();
  }
}

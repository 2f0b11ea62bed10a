// Storage of annotations: in the app or, in a page opened from disk, in a file.

import { escapeDirections } from "../formats.js";
import { _ } from "../language.js";
import { askState, send } from "../requests.js";
import { inOrder } from "./annotations.js";
import { canonical, fingerprint } from "./checksum.js";

const NAME_KEY = "reelproof-reviewer";
const SILENT = () => _("Reelproof does not respond, so nothing was recorded. Check that it is running, then try again.");

/** The reviewer's name, stored in this browser only. */
export const reviewer = {
  get() { try { return localStorage.getItem(NAME_KEY) ?? ""; } catch { return ""; } },
  set(name) { try { localStorage.setItem(NAME_KEY, name); } catch { /* asked again next time */ } },
};

/**
 * Annotations stored by the app. `add` throws an Error with a message to show. `author` is the signed-in user, if
 * login is on; `silent` explains why annotating is impossible, if it is.
 */
export class AppStore {
  constructor(address, author, silent) {
    this.address = address;
    this.author = author;
    this.silent = silent;
    this.offline = false;
  }

  async load() {
    const { status, content } = await askState(`${this.address}/annotations`);
    if (!status) throw new Error(SILENT());
    if (status === 401) throw new Error(_("You are not signed in (any more), so nothing was recorded. Sign in in another tab, then reload this page and try again."));
    if (!content) throw new Error(_("The annotations could not be read. Reload the page."));
    return inOrder(content.annotations);
  }

  async add(annotation) {
    const { annotations } = await send(`${this.address}/annotations`, {
      body: annotation,
      unanswered: SILENT(),
      refused: _("Nothing was recorded. Try again."),
    });
    return inOrder(annotations);
  }
}

/** Annotations made in a page opened from disk; `save` returns the file that the app imports. */
export class FileStore {
  constructor(facts, annotations) {
    this.facts = facts;
    this.annotations = annotations;
    this.unsaved = 0;
    this.offline = true;
    window.addEventListener("beforeunload", (event) => { if (this.unsaved) event.preventDefault(); });
  }

  async load() { return inOrder(this.annotations); }

  async add(annotation) {
    const id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    this.annotations = inOrder([...this.annotations, { ...annotation, id, made: new Date().toISOString() }]);
    this.unsaved += 1;
    return this.annotations;
  }

  async save() {
    const text = escapeDirections(JSON.stringify({
      reelproof_judgements: "1.0",
      analysis: this.facts.id,
      analysis_sha256: this.facts.sha256,
      exhibit_sha256: this.facts.exhibit_sha256,
      saved: new Date().toISOString(),
      annotations: this.annotations,
      sha256: await fingerprint(canonical(this.annotations)),
    }, null, 2));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${text}\n`], { type: "application/json" }));
    link.download = `annotations-${this.facts.exhibit_sha256.slice(0, 8)}-${new Date().toISOString().slice(0, 16).replace(/[-:T]/g, "")}.json`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    this.unsaved = 0;
  }
}

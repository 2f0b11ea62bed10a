// Notes that were typed and not recorded yet, kept in this tab: another page, or a reload, loses none.

/** By what each is about: the id of a segment, or of a field. Like a Map; nothing typed, nothing kept. */
export class Drafts {
  /** `author`: who is signed in, so that nobody gets another one's notes. */
  constructor(analysis, author) {
    this.key = `reelproof-drafts ${analysis} ${author}`;
    this.kept = true;
    this.notes = new Map(this.#read());
    window.addEventListener("beforeunload", (event) => { if (!this.kept && this.notes.size) event.preventDefault(); });
  }

  get(about) { return this.notes.get(about); }

  set(about, note) {
    if (note.trim()) this.notes.set(about, note);
    else this.notes.delete(about);
    this.keep();
  }

  delete(about) { this.set(about, ""); }

  /** Fill in a field with what was typed there before, and keep what will be. */
  keepField(field) {
    field.value = this.get(field.id) ?? field.value;
    field.addEventListener("input", () => this.set(field.id, field.value));
  }

  #read() {
    try { return Object.entries(JSON.parse(sessionStorage.getItem(this.key) ?? "{}")); } catch { return []; }
  }

  /** Keep what there is; a browser that keeps nothing asks before it leaves the page instead. */
  keep() {
    try {
      if (this.notes.size) sessionStorage.setItem(this.key, JSON.stringify(Object.fromEntries(this.notes)));
      else sessionStorage.removeItem(this.key);
      this.kept = true;
    } catch { this.kept = false; }
  }
}

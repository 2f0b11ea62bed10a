// Loads a long analysis in stretches: first the visible one, then the rest.

import { read } from "../requests.js";
import { fillStretch } from "./data.js";

const AT_ONCE = 2;
const AGAIN = 5_000; // ms before a failed stretch is requested again

/** Fill `data` from the address in its outline; `filled(from, to)` is called for each loaded stretch. */
export class Detail {
  constructor(data, filled) {
    this.data = data;
    this.filled = filled;
    this.asked = new Set();
    this.running = 0;
    this.first = 0; // the visible stretch
    this.last = 0;
  }

  get complete() { return this.data.pieces.size === this.data.stretches; }

  has(time) { return this.data.pieces.has(Math.min(Math.floor(time / this.data.raw.outline.stretch), this.data.stretches - 1)); }

  /** Load the stretches of these seconds next. */
  want(from, to) {
    const { stretch } = this.data.raw.outline;
    this.first = Math.floor(from / stretch);
    this.last = Math.floor(to / stretch);
    while (this.running < AT_ONCE) {
      const next = this.#next();
      if (next === null) return;
      this.#read(next);
    }
  }

  #next() {
    const order = (index) => Math.max(this.first - index, index - this.last, 0);
    let best = null;
    for (let index = 0; index < this.data.stretches; index += 1) {
      if (!this.asked.has(index) && (best === null || order(index) < order(best))) best = index;
    }
    return best;
  }

  async #read(index) {
    const { stretch, scores } = this.data.raw.outline;
    const around = this.data.raw.rules.median_window; // the band also depends on scores beside the stretch
    this.asked.add(index);
    this.running += 1;
    try {
      const query = new URLSearchParams({ start: index * stretch - around, end: (index + 1) * stretch + around });
      fillStretch(this.data, index, (await read(`${scores}?${query}`)).persons);
      this.filled(index * stretch, (index + 1) * stretch);
    } catch (problem) {
      console.warn(problem);
      await new Promise((settle) => { setTimeout(settle, AGAIN); });
      this.asked.delete(index);
    }
    this.running -= 1;
    const { stretch: length } = this.data.raw.outline;
    this.want(this.first * length, this.last * length);
  }
}

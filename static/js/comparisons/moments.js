// The kept pictures of one moment, large: exhibit, reference, both in turn, their difference.

import { byId } from "../dom.js";
import { _ } from "../language.js";

const TURN = 700; // milliseconds; under three changes a second
const NAMES = {
  exhibit: _("Exhibit"),
  reference: _("Reference"),
  difference: _("Difference"),
  overlay: _("Exhibit with the difference"),
};

export class Moments {
  constructor(triples) {
    this.triples = triples;
    this.number = 0;
    this.view = "blink";
    this.second = false;
    this.svg = byId("moment-picture");
    this.window = this.svg.querySelector("svg"); // cuts off the other half
    this.image = this.svg.querySelector("image");
    byId("moments").hidden = false;
    byId("moment").addEventListener("change", (event) => this.choose(Number(event.target.value)));
    this.buttons = [...document.querySelectorAll("#moments [data-view]")];
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.look(button.dataset.view));
    }
    // Who asked for less motion changes sides by hand.
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.look(still ? "exhibit" : "blink");
    setInterval(() => {
      if (this.view !== "blink" || document.hidden) return;
      this.second = !this.second;
      this.draw();
    }, TURN);
  }

  choose(number) {
    this.number = number;
    byId("moment").value = String(number);
    this.draw();
  }

  /** Show the first moment of a segment or region, if a picture of it was kept. */
  about(id) {
    const number = this.triples.findIndex((one) => one.about === id);
    if (number >= 0) this.choose(number);
  }

  look(view) {
    this.view = view;
    this.second = false;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    this.draw();
  }

  draw() {
    const one = this.triples[this.number];
    const side = this.view === "blink" ? (this.second ? "reference" : "exhibit") : this.view;
    const both = side === "exhibit" || side === "reference";
    const address = both ? one.both : one[side];
    this.svg.setAttribute("viewBox", `0 0 ${one.width} ${one.height}`);
    this.window.setAttribute("width", one.width);
    this.window.setAttribute("height", one.height);
    this.window.setAttribute("viewBox", `${side === "reference" ? one.second : 0} 0 ${one.width} ${one.height}`);
    this.image.setAttribute("width", both ? one.wide : one.width);
    this.image.setAttribute("height", one.height);
    if (this.image.getAttribute("href") !== address) this.image.setAttribute("href", address);
    const number = ["exhibit", "reference", "difference", "overlay"].indexOf(side);
    this.svg.setAttribute("aria-label", this.view === "blink"
      ? _("In turn: %(first)s; %(second)s", { first: one.words[0], second: one.words[1] })
      : one.words[number]);
    byId("moment-shown").textContent = NAMES[side];
  }
}

// Large pictures of one moment: exhibit, reference, both alternating, and their difference.

import { byId } from "../dom.js";
import { _ } from "../language.js";

const BLINK_INTERVAL = 700; // milliseconds; WCAG 2.3.1 allows at most three flashes a second
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
    this.window = this.svg.querySelector("svg"); // clips the other half of the joint picture
    this.image = this.svg.querySelector("image");
    byId("moments").hidden = false;
    byId("moment").addEventListener("change", (event) => this.choose(Number(event.target.value)));
    this.buttons = [...document.querySelectorAll("#moments [data-view]")];
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.setView(button.dataset.view));
    }
    // With reduced motion, users switch sides by hand.
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.setView(still ? "exhibit" : "blink");
    setInterval(() => {
      if (this.view !== "blink" || document.hidden) return;
      this.second = !this.second;
      this.draw();
    }, BLINK_INTERVAL);
  }

  choose(number) {
    this.number = number;
    byId("moment").value = String(number);
    this.draw();
  }

  /** Show the first moment of a segment or region, if there is a picture of it. */
  showFor(id) {
    const number = this.triples.findIndex((triple) => triple.about === id);
    if (number >= 0) this.choose(number);
  }

  setView(view) {
    this.view = view;
    this.second = false;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    this.draw();
  }

  draw() {
    const triple = this.triples[this.number];
    const side = this.view === "blink" ? (this.second ? "reference" : "exhibit") : this.view;
    const both = side === "exhibit" || side === "reference";
    const address = both ? triple.both : triple[side];
    this.svg.setAttribute("viewBox", `0 0 ${triple.width} ${triple.height}`);
    this.window.setAttribute("width", triple.width);
    this.window.setAttribute("height", triple.height);
    this.window.setAttribute("viewBox", `${side === "reference" ? triple.second : 0} 0 ${triple.width} ${triple.height}`);
    this.image.setAttribute("width", both ? triple.wide : triple.width);
    this.image.setAttribute("height", triple.height);
    if (this.image.getAttribute("href") !== address) this.image.setAttribute("href", address);
    const number = ["exhibit", "reference", "difference", "overlay"].indexOf(side);
    this.svg.setAttribute("aria-label", this.view === "blink"
      ? _("In turn: %(first)s; %(second)s", { first: triple.words[0], second: triple.words[1] })
      : triple.words[number]);
    byId("moment-shown").textContent = NAMES[side];
  }
}

// What the desk says in a corner for a while.

import { byId, el } from "../dom.js";

let clearing = null;

/** Says something in a corner for a while, and to screen readers. */
export function say(text, action = null) {
  const place = byId("toast");
  place.replaceChildren(el("span", {}, text));
  if (action) {
    place.append(el("button", { type: "button", onclick: () => { place.replaceChildren(); action.run(); } }, action.label));
  }
  clearTimeout(clearing);
  clearing = setTimeout(() => place.replaceChildren(), 8000);
}

// Short messages in a corner.

import { byId, el } from "../dom.js";

let clearing = null;

/** Show a message in a corner for a while, and tell screen readers. After its button, the focus returns. */
export function say(text, action = null) {
  const place = byId("toast");
  const before = place.contains(document.activeElement) ? null : document.activeElement;
  place.replaceChildren(el("span", {}, text));
  if (action) {
    const act = () => {
      place.replaceChildren();
      if (before?.isConnected) before.focus({ preventScroll: true });
      action.run();
    };
    place.append(el("button", { type: "button", onclick: act }, action.label));
  }
  clearTimeout(clearing);
  clearing = setTimeout(() => place.replaceChildren(), 8000);
}

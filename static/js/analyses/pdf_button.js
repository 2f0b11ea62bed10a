// The PDF report while it is rendered: a disabled button that becomes a link. Without scripts the link works as
// well, because the server waits for the report before it responds.

import { byId } from "../dom.js";
import { _ } from "../language.js";
import { askState } from "../requests.js";

const EVERY = 400;
const SLOWER = 3000;

const button = byId("pdf-report");
const words = button.querySelector("span");
const announced = byId("pdf-state");
const { state } = button.dataset;
const { href } = button;
const label = words.textContent;

function wait() {
  button.removeAttribute("href");
  button.setAttribute("role", "link");
  button.setAttribute("aria-disabled", "true");
  words.textContent = _("PDF report is being made…");
  announced.textContent = words.textContent;
}

function ready() {
  button.href = href;
  button.removeAttribute("role");
  button.removeAttribute("aria-disabled");
  words.textContent = label;
  announced.textContent = _("The PDF report can be downloaded.");
}

async function ask(pause) {
  const { status, content } = await askState(state);
  const refused = status >= 400 && status < 500; // the link will say it in words
  if (refused || (content && content.report !== "being made")) {
    ready();
    return;
  }
  const next = content ? pause : Math.min(pause * 1.6, SLOWER);
  setTimeout(ask, document.hidden ? SLOWER : next, next);
}

wait();
ask(EVERY);

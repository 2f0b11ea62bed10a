// Follows a live session: polls twice a second, not while the page is hidden, and less often without changes.
// A picture and its boxes are inserted together.

import { byId } from "../dom.js";
import { _ } from "../language.js";

const QUICK = 500;
const SLOW = 5000;
const page = byId("live");
const places = new Map([...page.querySelectorAll("[data-part]")].map((place) => [place.dataset.part, place]));
const html = new Map(); // of each place, as the server last sent it
let picture = byId("picture").getAttribute("src"); // its address; none before the first frame
let segments = Number(page.dataset.segments);
let standing = page.dataset.standing;
let pause = QUICK;
let timer = 0;
let asking = false;

/** The decoded picture at an address; null if it is gone already. */
async function loaded(address) {
  const image = new Image();
  image.id = "picture";
  image.alt = _("The latest frame");
  image.src = address;
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  }
}

/** Replace only what changed, to keep selections and scroll positions. */
function replace(name, markup) {
  if (html.get(name) === markup) return;
  html.set(name, markup);
  places.get(name).innerHTML = markup; // made by the template of the page, which escapes
}

/** The parts of the page as the server has them now: the answer's status, 0 for none, and the element around them. */
async function askParts() {
  const answer = await fetch(page.dataset.parts, { cache: "no-store" }).catch(() => null);
  const status = answer?.redirected ? 401 : answer?.status ?? 0; // to the form for signing in
  const text = status === 200 ? await answer.text().catch(() => "") : "";
  return { status, now: new DOMParser().parseFromString(text, "text/html").getElementById("live") };
}

async function show(now) {
  const parts = Object.fromEntries([...now.querySelectorAll("[data-part]")].map((place) => [place.dataset.part, place.innerHTML]));
  if (now.dataset.picture && now.dataset.picture !== picture) {
    const image = await loaded(now.dataset.picture);
    if (image) {
      picture = now.dataset.picture;
      byId("picture").replaceWith(image);
    } else {
      delete parts.boxes; // those shown belong to the picture shown
    }
  }
  for (const [name, markup] of Object.entries(parts)) replace(name, markup);
  const latest = now.dataset;
  if (Number(latest.segments) > segments) {
    const closed = places.get("segments").querySelector("li").textContent;
    byId("announce").textContent = [_("A segment closed."), closed].join(" ");
  } else if (latest.standing !== standing) {
    byId("announce").textContent = places.get("standing").querySelector("p").textContent;
  }
  segments = Number(latest.segments);
  standing = latest.standing;
}

function silence(words) {
  byId("silence").textContent = words;
  byId("silence").hidden = !words;
}

async function ask() {
  if (asking || document.hidden) return;
  asking = true;
  let again = false;
  try {
    const { status, now } = await askParts();
    if (status === 404) return silence(_("This session is no longer there: it was removed a day after it ended."));
    if (status === 401 || status === 403) return silence(_("You are no longer signed in. Reload this page."));
    again = now?.dataset.standing !== "ended";
    if (!now) {
      pause = Math.min(pause * 1.6, SLOW);
      return silence(_("Reelproof does not respond. This page shows the last known state and keeps trying."));
    }
    pause = now.dataset.standing === "running" ? QUICK : Math.min(pause * 1.5, SLOW);
    silence("");
    await show(now);
  } finally { // whatever goes wrong in showing it is no silence, and does not end it
    asking = false;
    if (again) timer = setTimeout(ask, pause);
  }
  return undefined;
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden && standing !== "ended") ask();
});
ask();

// Updates rows of unfinished analyses, and collects analyses to compare or to act on.
// Without this module the page still works with links and forms.
import { askToDelete } from "./deleting.js";
import { byId } from "../dom.js";
import { follow } from "./follow.js";
import { _, ngettext, percentDone } from "../language.js";
import { moveOn } from "../leaving.js";
import { closeMenus } from "../menus.js";
import { analysisAddress } from "../requests.js";
import { actOnSelected, offerActions } from "./selected.js";
import { runningWords } from "./time_left.js";

const LOOK_AGAIN = 3000;
const QUEUED = {
  low: _("Queued, low priority"), normal: _("Queued"), high: _("Queued, high priority"),
};
const ENDED = { done: _("Done"), failed: _("Failed"), cancelled: _("Cancelled") };
document.documentElement.classList.add("scripted");
closeMenus();

/** Replace a row with the server's current version and return it, if there is one. */
async function renew(row) {
  const answer = await fetch(window.location.href, { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector(`tr[data-id="${row.dataset.id}"]`);
  if (!fresh) return null; // it no longer fits what is asked for; it stays in sight until the next search
  const focused = row.contains(document.activeElement);
  row.replaceWith(fresh);
  if (focused) fresh.querySelector(".library-file a").focus();
  return fresh;
}

/** Update the row of an unfinished analysis, even if it is paused or resumed elsewhere. */
function keepUpToDate(row) {
  if (!["queued", "running", "explaining", "paused"].includes(row.dataset.state)) return;
  const explaining = row.dataset.state === "explaining"; // its row has the verdict already
  const paused = row.dataset.state === "paused";
  const words = row.querySelector("[data-standing]");
  const anew = async () => {
    stop();
    const fresh = await renew(row);
    if (fresh) keepUpToDate(fresh);
  };
  const stop = follow(analysisAddress(row.dataset.id), {
    onStatus: (status) => {
      if (explaining) return;
      words.textContent = status.state === "running"
        ? runningWords(status, percentDone(status.progress))
        : QUEUED[status.priority];
      if (paused) anew();
    },
    onPause: () => { if (!paused) anew(); },
    onFinding: explaining ? undefined : anew,
    onEnd: (status) => {
      if (words) words.textContent = ENDED[status.state];
      renew(row);
    },
    onGone: () => { if (words) words.textContent = _("Deleted"); },
  });
}

document.querySelectorAll("tr[data-analysis]").forEach(keepUpToDate);

// Filters act when chosen; typed words and days, whose years change digit by digit, when they are sent.
byId("filters")?.addEventListener("change", (event) => {
  if (event.target.matches("select, input[type=checkbox]")) event.currentTarget.requestSubmit();
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-delete]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const menu = link.closest(".menu");
  menu.open = false;
  try {
    if (!await askToDelete(link.closest("tr").dataset.id, menu.querySelector("summary"))) return;
  } catch {
    window.location.assign(link.href); // as without scripts: the page that asks, or what is there in its place
    return;
  }
  const here = new URL(window.location.href);
  here.searchParams.set("deleted", "1");
  window.location.assign(here);
});

// Several analyses can be selected. Two of one exhibit can be compared, and so can two exhibits, with one as the reference.
const bar = byId("comparing");
const boxes = () => [...document.querySelectorAll("td.library-pick input")];
let picked = []; // in the order of ticking
const selected = () => picked.map((box) => box.closest("tr").dataset);

function gather() {
  const checked = boxes().filter((box) => box.checked);
  picked = [...picked.filter((box) => checked.includes(box)), ...checked.filter((box) => !picked.includes(box))];
  for (const box of boxes()) box.closest("tr").classList.toggle("picked", box.checked);
  byId("pick-all").checked = checked.length === boxes().length;
  byId("pick-all").indeterminate = checked.length > 0 && checked.length < boxes().length;
  bar.hidden = picked.length === 0;
  const link = byId("comparing-link");
  link.hidden = true;
  byId("comparing-words").textContent = comparison(link);
  offerActions(selected());
}

/** What is selected, and how it can be compared, to which the link leads. */
function comparison(link) {
  let [first, second] = selected();
  if (picked.length !== 2 || first.state !== "done" || second.state !== "done") return ngettext("1 selected", "%(num)s selected", picked.length);
  if (first.exhibit === second.exhibit) {
    offer(link, _("Compare"), `${bar.dataset.compare}?a=${first.id}&b=${second.id}`);
    return _("Two analyses of the same exhibit.");
  }
  if (bar.dataset.references === undefined || first.sound !== undefined || second.sound !== undefined) return _("Two different exhibits.");
  // A photo can be compared with a video, and no video with a photo.
  if (second.still !== undefined && first.still === undefined) [first, second] = [second, first];
  offer(link, _("Compare with a reference"), `${first.analysis}/compare?q=${second.exhibit}`);
  return _("Two different exhibits. %(first)s can be compared with %(second)s as its reference.", { first: first.file, second: second.file });
}

function offer(link, words, address) {
  link.textContent = words;
  link.href = address;
  link.hidden = false;
}

if (bar) {
  document.querySelector(".library").addEventListener("change", (event) => {
    if (event.target.id === "pick-all") for (const box of boxes()) box.checked = event.target.checked;
    gather();
  });
  actOnSelected(selected, (words) => { byId("comparing-words").textContent = words; });
  byId("comparing-none").addEventListener("click", () => {
    for (const box of boxes()) box.checked = false;
    gather();
  });
  gather(); // a page that comes back may have boxes checked
}

// Creating the sample takes a while; show that something happens.
const sample = byId("sample");
sample?.addEventListener("submit", () => { byId("sample-made").hidden = false; });
window.addEventListener("pageshow", () => { if (sample) byId("sample-made").hidden = true; });

// On the first start, reload until the sample has appeared or is no longer expected.
async function lookForSample() {
  const answer = await fetch(window.location.href, { cache: "no-store" }).catch(() => null);
  if (answer?.ok && !(await answer.text()).includes("data-expects-sample")) {
    moveOn(() => window.location.reload());
  } else setTimeout(lookForSample, LOOK_AGAIN);
}

if (document.querySelector("[data-expects-sample]")) setTimeout(lookForSample, LOOK_AGAIN);

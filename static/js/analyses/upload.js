// Chooses and drops files and queues them. Without this module the form sends one file.
import { Batch } from "./batch.js";
import { byId } from "../dom.js";
import { _, ngettext } from "../language.js";
import { moveOn } from "../leaving.js";

const form = byId("upload");
const input = byId("file");
const title = document.title;

document.documentElement.classList.add("scripted");
input.multiple = true; // only here: a form takes one file at a time
input.required = false;

const batch = new Batch({
  form,
  list: byId("queue"),
  limits: { limit: Number(form.dataset.limit), room: Number(form.dataset.room) },
  onChange: show,
  onAlone: (address) => moveOn(() => {
    if (batch.items.length === 1) window.location.assign(address);
    else batch.watch(); // more were chosen meanwhile
  }),
  announce: (words) => { byId("upload-status").textContent = words; },
});

function show() {
  const { items, waiting, sending } = batch;
  byId("queue").hidden = items.length === 0;
  byId("none-chosen").hidden = true;
  const start = byId("start");
  start.disabled = items.length > 0 && waiting.length === 0;
  start.hidden = items.length > 0 && (sending || (waiting.length === 0 && items.some((item) => item.address)));
  start.textContent = items.length > 1 && waiting.length !== 1
    ? ngettext("Start %(num)s analysis", "Start %(num)s analyses", waiting.length)
    : _("Start the analysis");
  const ended = items.filter((item) => item.ended).length;
  byId("queue-summary").hidden = items.length < 2;
  const begun = items.some((item) => item.state !== "waiting" && item.state !== "unfit");
  byId("queue-summary").textContent = begun && ended
    ? _("%(ended)s of %(count)s files are done: %(outcomes)s", {
      ended, count: items.length, outcomes: batch.outcomes(),
    })
    : ngettext("%(num)s file", "%(num)s files", items.length);
  const taken = items.some((item) => item.address);
  byId("queue-library").hidden = !taken;
  byId("latest-analyses")?.toggleAttribute("hidden", taken); // the queue is newer
  document.title = batch.unsent && sending
    ? _("%(sent)s of %(count)s · Reelproof", { sent: items.length - waiting.length, count: items.length })
    : title;
}

input.addEventListener("change", () => {
  if (input.files.length) batch.add(input.files);
  input.value = ""; // or the same file could not be chosen again
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (batch.items.length) batch.start();
  else {
    byId("none-chosen").hidden = false;
    input.focus();
  }
});

window.addEventListener("beforeunload", (event) => {
  if (batch.unsent) event.preventDefault();
});

// The whole page accepts drops: a file dropped beside the target must not replace the page.
let depth = 0;
const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");

document.addEventListener("dragenter", (event) => {
  if (!carriesFiles(event)) return;
  depth += 1;
  form.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!carriesFiles(event)) return;
  depth -= 1;
  if (depth === 0) form.classList.remove("over");
});
document.addEventListener("dragover", (event) => {
  if (carriesFiles(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  form.classList.remove("over");
  const files = [...event.dataTransfer.files];
  const items = [...event.dataTransfer.items].filter((item) => item.kind === "file"); // in the same order
  batch.add(files, new Set(files.filter((_file, number) => items[number]?.webkitGetAsEntry?.()?.isDirectory)));
});

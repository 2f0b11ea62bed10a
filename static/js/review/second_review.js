// The exhibit of a second review: step from frame to frame, and copy times into a stretch. Text typed into
// one form survives sending another one.
import { byId } from "../dom.js";
import { Drafts } from "../drafts.js";
import { shortTimecode, timecode } from "../formats.js";
import { _ } from "../language.js";

const video = byId("player");
const stretches = byId("stretches");
if (video) setUp();
const { review, reviewer } = document.querySelector("[data-review]").dataset;
const drafts = new Drafts(`review-${review}`, reviewer);
for (const form of document.querySelectorAll("[data-draft]")) keepDraft(form);

/** Keep text and choice of a form in this tab until it is sent. */
function keepDraft(form) {
  const fields = [...form.querySelectorAll("textarea, .stretch input")];
  for (const field of fields) drafts.keepField(field);
  const about = `${fields[0].id}-choice`;
  for (const choice of form.querySelectorAll("[type=radio]")) {
    if (drafts.get(about) === choice.value) choice.checked = true;
    choice.addEventListener("change", () => drafts.set(about, choice.value));
  }
  form.addEventListener("submit", () => {
    for (const each of [...fields.map((field) => field.id), about]) drafts.delete(each);
  });
  // A judgement cannot be changed, so only its button sends it, not Enter in a time field.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
  });
}

function setUp() {
  const offset = Number(video.dataset.offset);
  const out = byId("now");
  const time = () => Math.max(0, video.currentTime - offset);
  const show = () => {
    out.value = timecode(time());
  };
  for (const event of ["timeupdate", "seeked", "loadedmetadata"]) video.addEventListener(event, show);
  delete document.querySelector(".steps-of-frames").dataset.beforeScript;
  for (const button of document.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => {
      video.pause();
      video.currentTime += Number(button.dataset.step);
    });
  }
  for (const row of stretches?.querySelectorAll(".stretch") ?? []) row.append(timeButtons(row, time));
}

/** Two buttons that copy the current moment into a row's fields. */
function timeButtons(row, time) {
  const place = document.createElement("div");
  place.className = "take";
  for (const [name, words] of [
    ["start", _("Starts here")],
    ["end", _("Ends here")],
  ]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.addEventListener("click", () => {
      const field = row.querySelector(`[name=${name}]`);
      field.value = shortTimecode(time());
      field.dispatchEvent(new Event("input"));
    });
    place.append(button);
  }
  return place;
}

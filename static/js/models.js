// Says that a model is being checked, and keeps an impatient second click from sending it twice.
// Without this module the form works as it stands.

import { byId } from "./dom.js";

const form = byId("add-model");

form.addEventListener("submit", () => {
  form.querySelector("button").disabled = true;
  byId("checking").hidden = false;
});

// A page that comes back out of the browser's memory must be usable again.
window.addEventListener("pageshow", () => {
  form.querySelector("button").disabled = false;
  byId("checking").hidden = true;
});

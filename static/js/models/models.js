// Shows that a model is being checked.
// Without this module the form still works.

import { byId } from "../dom.js";

byId("add-model").addEventListener("submit", () => { byId("checking").hidden = false; });

window.addEventListener("pageshow", () => { byId("checking").hidden = true; });

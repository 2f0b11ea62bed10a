// The review desk in a page opened from disk.

import { open } from "./main.js";
import { FileStore } from "./store.js";

const raw = JSON.parse(document.getElementById("review-data").textContent);
const annotations = JSON.parse(document.getElementById("review-annotations").textContent);
await open(raw, new FileStore(raw.analysis, annotations));
document.getElementById("figures").removeAttribute("open");

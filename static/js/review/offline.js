// The review desk in a page opened from disk.

import { byId } from "../dom.js";
import { open } from "./main.js";
import { FileStore } from "./store.js";

const raw = JSON.parse(byId("review-data").textContent);
const annotations = JSON.parse(byId("review-annotations").textContent);
await open(raw, new FileStore(raw.analysis, annotations));
byId("figures").removeAttribute("open");

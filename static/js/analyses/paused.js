// Leaves the page of a paused analysis when somebody resumes or cancels it elsewhere.

import { byId } from "../dom.js";
import { follow } from "./follow.js";
import { moveOn } from "../leaving.js";

const changed = () => {
  stop();
  moveOn(() => window.location.reload());
};
const stop = follow(byId("paused").dataset.status, { onStatus: changed, onEnd: changed, onPause: () => {} });

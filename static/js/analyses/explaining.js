// The page of a finding whose pictures are still being made: shows how far they are, then the complete result.

import { byId } from "../dom.js";
import { follow } from "./follow.js";
import { moveOn } from "../leaving.js";

const anew = () => moveOn(() => window.location.reload());

follow(byId("explaining").dataset.status, {
  onStatus: (status) => { byId("bar").value = status.progress; },
  onEnd: anew,
  onGone: anew,
  onSignedOut: anew,
}, true);

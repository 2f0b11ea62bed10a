// Polls the state of an analysis until it has ended.

import { askState } from "../requests.js";

const EAGER = 200;
const EAGER_FOR = 5000; // a photograph takes about a second
const QUICK = 600;
const SLOW = 5000;
const ENDS = new Set(["done", "failed", "cancelled"]);
const GONE = new Set([404, 410]); // not to be seen (any more), or deleted
const SIGNED_OUT = new Set([401, 403]);

/**
 * @param {string} address of the analysis's state as JSON
 * @param {{onStatus: Function, onEnd: Function, onFinding?: Function, onPause?: Function, onSilence?: Function, onGone?: Function,
 *   onSignedOut?: Function}} tell
 *   onFinding is called once, instead of all others, when the finding stands and its pictures follow.
 *   onPause is called while the analysis is paused; without it, a pause counts as the end. onGone is called once if
 *   the analysis no longer exists, onSignedOut if the user is no longer signed in; without them, both count as
 *   silence.
 * @param {boolean} eager for a page about a single analysis: poll more often in the first seconds
 * @returns {Function} stops asking
 */
export function follow(address, tell, eager = false) {
  const until = eager ? performance.now() + EAGER_FOR : 0;
  const quick = () => (performance.now() < until ? EAGER : QUICK);
  let pause = quick();
  let stopped = false;
  async function ask() {
    if (stopped) return;
    const { status, content } = await askState(address);
    if (stopped) return;
    if (GONE.has(status) && tell.onGone) {
      tell.onGone();
      return;
    }
    if (SIGNED_OUT.has(status) && tell.onSignedOut) {
      tell.onSignedOut();
      return;
    }
    if (content?.state === "explaining" && tell.onFinding) {
      tell.onFinding(content);
      return;
    }
    const paused = content?.state === "paused";
    if (ENDS.has(content?.state) || (paused && !tell.onPause)) {
      tell.onEnd(content);
      return;
    }
    if (paused) pause = SLOW;
    else if (!content) pause = Math.min(pause * 1.6, SLOW);
    else pause = ["running", "explaining"].includes(content.state) ? quick() : Math.min(pause * 1.3, SLOW);
    // A hidden page polls less often. Scheduled before the listener, whose errors must not end the polling.
    setTimeout(ask, document.hidden ? SLOW : pause);
    if (paused) tell.onPause(content);
    else if (content) tell.onStatus(content);
    else if (tell.onSilence) tell.onSilence();
  }
  ask();
  return () => { stopped = true; };
}

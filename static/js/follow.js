// Asks for the state of an analysis until it has ended.

const QUICK = 600;
const SLOW = 5000;

/**
 * @param {string} address of the analysis's state as JSON
 * @param {{onStatus: Function, onEnd: Function, onSilence?: Function}} tell
 */
export function follow(address, tell) {
  let pause = QUICK;
  async function ask() {
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const status = await answer.json();
      if (status.state === "done" || status.state === "failed") {
        tell.onEnd(status);
        return;
      }
      tell.onStatus(status);
      pause = status.state === "running" ? QUICK : Math.min(pause * 1.3, SLOW);
    } catch {
      pause = Math.min(pause * 1.6, SLOW);
      if (tell.onSilence) tell.onSilence();
    }
    // A page nobody looks at need not ask as often.
    setTimeout(ask, document.hidden ? SLOW : pause);
  }
  ask();
}

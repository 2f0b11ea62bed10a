// Pages that go on by themselves. A reload undoes what the reader has just clicked, be it a link or a form:
// whichever comes last wins.

const STILL_HERE = 10_000; // what was clicked may be a download, or may never be answered
let leaving = false;

window.addEventListener("beforeunload", () => { leaving = true; });
window.addEventListener("pageshow", () => { leaving = false; });

/** Moves on with `move`, or lets the reader go who is leaving already; one who stayed after all is moved later. */
export function moveOn(move) {
  if (!leaving) {
    move();
    return;
  }
  leaving = false;
  setTimeout(() => moveOn(move), STILL_HERE);
}

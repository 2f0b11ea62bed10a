// Pages that go on by themselves. A reload undoes what the reader has just clicked, be it a link or a form:
// whichever comes last wins. So a reader who is leaving is let go, if the next page takes no longer than this.

const NEXT_PAGE = 10_000;
let left = -Infinity; // when the reader was last about to leave, be it for a download

window.addEventListener("beforeunload", () => { left = performance.now(); });
window.addEventListener("pageshow", () => { left = -Infinity; });

/** Moves on with `move`, or lets the reader go who is leaving already; one who stayed after all is moved later. */
export function moveOn(move) {
  const wait = left + NEXT_PAGE - performance.now();
  if (wait > 0) setTimeout(() => moveOn(move), wait);
  else move();
}

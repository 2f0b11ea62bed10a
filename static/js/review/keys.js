// Keys of the review page. Never while typing, never with a modifier that belongs to the browser.

export const KEYS = [
  ["Space", "Play or pause"],
  ["← →", "Previous or next analysed frame"],
  ["Shift + ← →", "One second back or on"],
  ["J K L", "Backwards, stop, play (again: faster)"],
  ["N P", "Next or previous segment"],
  ["A D U", "Agree, disagree or unsure about the chosen segment"],
  ["I O", "Start and end of a stretch you mark"],
  ["+ − 0", "Zoom the timeline in, out, to the whole"],
  ["?", "This list"],
];

export const PHOTO_KEYS = [
  ["+ −", "Nearer, farther; also the wheel, or two fingers"],
  ["0 1", "The whole photo, its single pixels"],
  ["← → ↑ ↓", "Move about; also drag"],
  ["G", "Grid of 8 × 8 pixels over the enlarged face"],
  ["N P", "Next or previous flagged face"],
  ["A D U", "Agree, disagree or unsure about the chosen face"],
  ["?", "This list"],
];

const TYPING = "input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable]";
const PRESSED = "button, a, summary, input, label";

export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(TYPING) || document.querySelector("dialog[open]")) return;
    const space = event.key === " ";
    if (space && event.target.closest?.(PRESSED)) return; // it presses what has the focus
    if (event.key.startsWith("Arrow") && event.target.closest?.("input[type=range], [role=tab], .menu")) return;
    const name = space ? "space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = actions[event.shiftKey && name.startsWith("Arrow") ? `Shift+${name}` : name];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

// Keys of the review desk. Inactive while typing, and with modifiers that belong to the browser.

import { _ } from "../language.js";

export const KEYS = [
  [_("Space"), _("Play or pause")],
  ["← →", _("Previous or next analysed frame")],
  [_("Shift+← Shift+→"), _("One second back or on")],
  ["J K L", _("Backwards, stop, play (again: faster)")],
  ["N P", _("Next or previous segment")],
  ["A D U", _("Agree, disagree or unsure about the chosen segment")],
  ["I O", _("Start and end of a stretch you mark")],
  ["+ − 0", _("Zoom the timeline in, out, to the whole")],
  ["?", _("This list")],
];

/** In place of the second one, where there is no picture. */
export const SOUND_STEP = ["← →", _("An eighth of a second back or on")];

export const VOICE_KEYS = [["V B", _("Play the next segment of the voice, or the chosen one again")]];

export const PHOTO_KEYS = [
  ["+ −", _("Nearer, farther; also the wheel, or two fingers")],
  ["0 1", _("The whole photo, its single pixels")],
  ["← → ↑ ↓", _("Move about; also drag")],
  ["G", _("Grid of 8 × 8 pixels over the enlarged face")],
  ["N P", _("Next or previous face in the list")],
  ["A D U", _("Agree, disagree or unsure about the chosen face")],
  ["?", _("This list")],
];

const TYPING = "input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable]";
const PRESSED = "button, a, summary, input, label";

export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(TYPING) || document.querySelector("dialog[open]")) return;
    const space = event.key === " ";
    if (space && event.target.closest?.(PRESSED)) return; // the space bar presses the focused element
    if (event.key.startsWith("Arrow") && event.target.closest?.("input[type=range], [role=tab], .menu")) return;
    const name = space ? "space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = actions[event.shiftKey && name.startsWith("Arrow") ? `Shift+${name}` : name];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

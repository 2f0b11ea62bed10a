// Where the keyboard is and what was typed, while what holds it is drawn anew.

const nameOf = (element) => (element.id ? `#${CSS.escape(element.id)}` : `[data-focus="${CSS.escape(element.dataset.focus)}"]`);

/**
 * Draw what is inside `place` anew. The focus goes to what took the place of the focused element, by its id or
 * `data-focus`; where nothing did, to the next one that can have it, or else to `place`.
 */
export function keepFocus(place, draw) {
  const focused = document.activeElement;
  if (!place.contains(focused)) {
    draw();
    return;
  }
  const names = [...place.querySelectorAll("[id], [data-focus]")]
    .filter((one) => one === focused || focused.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING)
    .map(nameOf);
  draw();
  if (place.contains(document.activeElement)) return;
  for (const name of names) {
    const successor = place.querySelector(name);
    successor?.focus({ preventScroll: true });
    if (successor && document.activeElement === successor) return;
  }
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
}

const TYPED_INTO = "input[id], select[id], textarea[id]";

/** Draw what is inside `place` anew with what was typed, ticked or chosen in its fields and not sent: by their ids. */
export function keepTyped(place, draw) {
  const typed = new Map([...place.querySelectorAll(TYPED_INTO)].filter(isChanged).map((field) => [field.id, field]));
  draw();
  for (const field of place.querySelectorAll(TYPED_INTO)) {
    const before = typed.get(field.id);
    if (!before) continue;
    if (field.type === "checkbox") field.checked = before.checked;
    else if (!field.options || [...field.options].some((one) => one.value === before.value)) field.value = before.value;
  }
}

function isChanged(field) {
  if (field.type === "checkbox") return field.checked !== field.defaultChecked;
  if (field.options) return field.selectedIndex > 0;
  return field.value !== field.defaultValue;
}

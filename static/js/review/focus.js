// Keeps the keyboard focus and typed text while an element is redrawn.

const nameOf = (element) => (element.id ? `#${CSS.escape(element.id)}` : `[data-focus="${CSS.escape(element.dataset.focus)}"]`);

/**
 * Redraw the content of `place`. The focus moves to the replacement of the focused element, by id or
 * `data-focus`; without one, to the next focusable element, or else to `place`.
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

/** Redraw the content of `place` and restore unsent values of its fields, by id. */
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
